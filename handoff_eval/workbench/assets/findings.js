// Findings on an instruction, each with the edit that answers it.

function findingsList(findings, text, apply) {
  if (!text.trim()) return [];
  if (findings.length === 0) return [make("p", { class: "hel-clean", text: "Nothing to say about this instruction." })];
  return [make("ul", { class: "hel-findings" }, ...findings.map(({ code, severity, sentence, what, changed }) =>
    make("li", { "data-severity": severity },
      make("strong", { text: `${code} ${severity}` }), make("span", { text: sentence }),
      make("button", { type: "button", class: "hel-button", on: { click: () => apply(changed) } }, make("span", { text: what })))))];
}

// Calls back once the typing has paused.
function afterPause(run, wait = 250) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, wait);
  };
}
