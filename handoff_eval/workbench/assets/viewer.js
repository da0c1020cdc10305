// The screen of the conversation viewer.

const VIEWER_KEYS = [
  ["→ or n, ← or p", "next conversation, previous conversation"],
  ["v", "show another kind: all, missed handoffs, needless emails …"],
  ["f, l, e", "go to the email, the labelled turn, the evidence"],
  ["↑, ↓, Page Up, Page Down", "scroll through the turns"],
  ["?", "these keys"],
];

function render({ model, el }) {
  let shownId = null;
  const count = make("strong", { class: "hel-count" });
  const facts = make("span", { class: "hel-facts" });
  const previous = keyButton("←", "Previous", () => step(-1));
  const next = keyButton("→", "Next", () => step(1));
  const kind = make("select", { "aria-label": "Which conversations", on: { change: () => ask("kind", { kind: kind.value }) } });
  const help = keyButton("?", "Keys", () => dialog.showModal());
  const { node: message, say } = messageLine();
  const sentence = make("p", { class: "hel-sentence", "aria-live": "polite" });
  const track = make("div", { class: "hel-track-place" });
  const turns = make("div", { class: "hel-turns", role: "group", tabindex: "0", "aria-label": "The conversation" });
  const dialog = keysDialog("Keys of the conversation viewer", VIEWER_KEYS, [], () => turns.focus({ preventScroll: true }));
  const root = make("div", { class: "hel hel-viewer", role: "group", "aria-label": "Read conversations" },
    make("div", { class: "hel-head" }, count, previous, next, kind, facts, help), sentence, track, turns, message, dialog);
  const kernel = askKernel(model, () => say("error", NO_KERNEL));
  const ask = (action, content) => kernel.ask(action, content);
  const { step, settle } = stepper(kernel);

  function update() {
    const view = model.get("view");
    const settled = kernel.settle(view);
    const shown = view.conversation;
    count.textContent = `${view.place + 1} of ${view.count}`;
    facts.textContent = factsOf(shown);
    kind.hidden = view.kinds.length < 2;
    kind.replaceChildren(...view.kinds.map(({ name, count: n }) => {
      const option = make("option", { value: name, text: `${name} (${n})` });
      option.selected = name === view.kind;
      return option;
    }));
    sentence.textContent = view.sentence;
    sentence.hidden = !view.sentence;
    const scored = shown.points[0].score !== null;
    track.replaceChildren(...(scored ? [scoreTrack(shown)] : []));
    turns.replaceChildren(drawTranscript(shown));
    if (shown.id !== shownId) turns.scrollTop = 0;
    shownId = shown.id;
    say(view.message.kind, view.message.text);
    if (settled) settle();
  }

  function goTo(mark, missing) {
    const found = turns.querySelector(`[data-${mark}]`);
    if (found === null) {
      say("info", missing);
      return;
    }
    turns.scrollTop += found.getBoundingClientRect().top - turns.getBoundingClientRect().top - 8;
    for (const other of turns.querySelectorAll(".hel-cursor")) other.classList.remove("hel-cursor");
    found.classList.add("hel-cursor");
  }

  function nextKind() {
    const { kinds, kind: now } = model.get("view");
    const place = kinds.findIndex(({ name }) => name === now);
    ask("kind", { kind: kinds[(place + 1) % kinds.length].name });
  }

  const actions = {
    ArrowRight: () => step(1),
    n: () => step(1),
    ArrowLeft: () => step(-1),
    p: () => step(-1),
    v: nextKind,
    f: () => goTo("fire", "No email was sent here."),
    l: () => goTo("label", "No turn is labelled here."),
    e: () => goTo("evidence", "No evidence is named here."),
    "?": () => dialog.showModal(),
  };
  listenForKeys(root, (key, { writing }) => (writing ? undefined : actions[key]));
  const leave = stage(model, el, root, update);
  return () => {
    leave();
    kernel.stop();
  };
}

export default { render };
