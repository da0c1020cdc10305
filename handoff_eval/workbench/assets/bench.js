// The screen of the instruction bench. One question to the kernel at a time; what is typed while
// it works is asked next, so that the last words always win.

const COMPARING = 60_000;
const BENCH_KEYS = [
  ["n, p", "read the next, the previous flipped conversation"],
  ["i, Esc", "into the instruction, out of it"],
  ["Ctrl+Enter", "compare now"],
  ["b", "back to the baseline's words"],
  ["?", "these keys"],
];

function render({ model, el }) {
  const prefix = uniquePrefix();
  let ticket = null;
  let readId = null;

  const editor = make("textarea", { id: `${prefix}-text`, rows: 5, spellcheck: "true", on: { input: () => typed() } });
  const run = keyButton("Ctrl+Enter", "Run", () => request("run"));
  const undo = keyButton("b", "Baseline's words", () => write(model.get("view").baseline));
  const take = make("button", { type: "button", class: "hel-button", on: { click: () => request("baseline") } }, make("span", { text: "Make this the baseline" }));
  const help = keyButton("?", "Keys", () => dialog.showModal());
  const changes = make("p", { class: "hel-changes", "aria-label": "What was changed", role: "group" });
  const findings = make("div", { role: "group", "aria-live": "polite", "aria-label": "Findings on the instruction" });
  const { node: message, say } = messageLine();
  const verdict = make("p", { class: "hel-verdict", role: "status" });
  const figures = make("tbody", {});
  const measures = make("table", { class: "hel-readings" },
    make("thead", {}, make("tr", {}, ...["After minus before", "With 95 % interval", "n"].map((text) => make("th", { scope: "col", text })))), figures);
  const lists = { started: flipList("Emails started"), stopped: flipList("Emails stopped") };
  const sentence = make("p", { class: "hel-sentence", "aria-live": "polite" });
  const track = make("div", { class: "hel-track-place" });
  const turns = make("div", { class: "hel-turns", role: "group", tabindex: "0", "aria-label": "The conversation" });
  const reader = make("div", { class: "hel-reader" }, sentence, track, turns);
  const dialog = keysDialog("Keys of the instruction bench", BENCH_KEYS, [], () => editor.focus({ preventScroll: true }));
  const root = make("div", { class: "hel hel-bench", role: "group", "aria-label": "Edit an instruction" },
    make("div", { class: "hel-head" }, make("label", { for: editor.id, text: "When to trigger" }), make("span", { class: "hel-facts" }), run, undo, take, help),
    editor, findings, changes, message, verdict, measures,
    make("div", { class: "hel-flips" }, lists.started.node, lists.stopped.node), reader, dialog);
  const kernel = askKernel(model, () => say("error", `${NO_KERNEL} Your words are still here.`));
  const turn = askInTurn(kernel);

  function flipList(title) {
    const name = make("p", { class: "hel-list-name" });
    const items = make("ul", {});
    return { title, name, items, node: make("div", {}, name, items) };
  }

  // A slow arm may take as long as it takes; what only lints or reads is answered at once.
  function request(action, content = {}) {
    const { slow } = model.get("view");
    const compares = action !== "read" && !(slow && action === "type");
    const patience = !compares ? PATIENCE : slow ? null : COMPARING;
    turn.request(() => {
      kernel.ask(action, { text: editor.value, ...content }, patience);
      if (compares) root.setAttribute("aria-busy", "true");
    }, { yields: action === "type" });
  }

  const typed = afterPause(() => request("type"), 300);

  function write(text) {
    editor.value = text;
    editor.focus({ preventScroll: true });
    request("type");
  }

  function read(by) {
    const { flips } = model.get("view");
    if (flips.length === 0) {
      say("info", "No conversation flipped.");
      return;
    }
    const place = flips.findIndex((flip) => flip.conversation_id === readId);
    const wanted = flips[(place + by + flips.length) % flips.length];
    request("read", { id: wanted.conversation_id });
  }

  function flipItem(flip, reading) {
    const now = flip.conversation_id === reading;
    return make("li", {}, make("button", { type: "button", class: "hel-button", "aria-pressed": String(now), "data-better": String(flip.better), on: { click: () => request("read", { id: flip.conversation_id }) } },
      make("strong", { text: flip.better ? "right" : "wrong" }), make("span", { text: `${flip.conversation_id}: ${flip.words}` })));
  }

  function update() {
    const view = model.get("view");
    const settled = kernel.settle(view);
    if (settled) root.removeAttribute("aria-busy");
    if (view.ticket !== ticket) editor.value = view.text;
    ticket = view.ticket;
    run.hidden = !view.slow;
    if (editor.value === view.text) findings.replaceChildren(...findingsList(view.findings, view.text, write));
    const tags = { same: "span", removed: "del", added: "ins" };
    const changed = view.changes.some(({ kind }) => kind !== "same");
    changes.hidden = !changed;
    changes.replaceChildren(...view.changes.map(({ kind, text }) => make(tags[kind], { text })));
    undo.disabled = view.text === view.baseline;
    take.disabled = view.text === view.baseline;
    verdict.textContent = view.verdict;
    measures.hidden = view.figures.length === 0;
    figures.replaceChildren(...view.figures.map(([what, ...cells]) =>
      make("tr", {}, make("th", { scope: "row", text: what }), ...cells.map((text) => make("td", { text })))));
    for (const [kind, list] of Object.entries(lists)) {
      const flips = view.flips.filter(({ started }) => started === (kind === "started"));
      const right = flips.filter(({ better }) => better).length;
      list.node.hidden = !view.compared;
      list.name.textContent = `${list.title}: ${flips.length}, rightly ${right}`;
      list.items.replaceChildren(...flips.map((flip) => flipItem(flip, view.reading)));
    }
    const shown = view.conversation;
    reader.hidden = shown === null;
    sentence.textContent = shown === null ? "" : `${factsOf(shown)}. ${view.sentence}`;
    track.replaceChildren(...(shown === null ? [] : [scoreTrack(shown)]));
    turns.replaceChildren(...(shown === null ? [] : [drawTranscript(shown)]));
    if (view.reading !== readId) turns.scrollTop = 0;
    readId = view.reading;
    if (view.message.text || settled) say(view.message.kind, view.message.text);
    if (settled) turn.settle();
  }

  function advance() {
    if (kernel.isWaiting() && model.get("progress")) say("info", model.get("progress"));
  }

  const actions = {
    n: () => read(1),
    p: () => read(-1),
    i: () => editor.focus({ preventScroll: true }),
    b: () => write(model.get("view").baseline),
    "?": () => dialog.showModal(),
  };
  listenForKeys(root, (key, { writing, sends }) => {
    if (sends) return () => request("run");
    if (!writing) return actions[key];
    return key === "Escape" ? () => (reader.hidden ? help : turns).focus({ preventScroll: true }) : undefined;
  });
  model.on("change:progress", advance);
  const leave = stage(model, el, root, update);
  return () => {
    leave();
    model.off("change:progress", advance);
    kernel.stop();
  };
}

export default { render };
