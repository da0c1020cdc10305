// The screen of the labeler. The kernel decides what is shown and keeps every answer; here are
// only the answer being made and the keys. Texts go in as text, never as HTML.

const PAGE = 5;
const FOCUS_AFTER = [0, 200, 500, 1000, 1500];
const KEYS = [
  ["↓ or j, ↑ or k", "next turn, previous turn"],
  ["Home, End", "first turn, close of the conversation"],
  ["Page Down, Page Up", "five turns on, five turns back"],
  ["Space or m", "a handoff is warranted after this turn"],
  ["c", "a handoff is warranted only at the close"],
  ["y, n", "handoff, no handoff"],
  ["1 to 6", "reasons; the first one pressed is the main one"],
  ["e", "write a note; Enter or Esc ends it, Shift+Enter breaks the line"],
  ["Enter", "save, and on to the next conversation"],
  ["u", "back to the answer before, to change it"],
  ["Esc", "leave an earlier answer as it was"],
  ["?", "these keys"],
];
const RULES = [
  "The turn is the first after which a careful reader would send the email, having seen only the turns so far.",
  "It may be a turn of the agent: one that gives up, or is sure of something wrong.",
  "The close is for a need that was left open with no earlier turn that settled it.",
  "No handoff: the agent does what was asked, anger that ends solved, silence after a complete answer.",
];

function isWebAddress(address) {
  try {
    return ["http:", "https:"].includes(new URL(address).protocol);
  } catch {
    return false;
  }
}

function render({ model, el }) {
  const prefix = uniquePrefix();
  let draft = null;
  let ticket = null;

  const progress = make("progress", { "aria-label": "Conversations answered" });
  const count = make("strong", { class: "hel-count" });
  const facts = make("span", { class: "hel-facts" });
  const who = make("span", { class: "hel-who" });
  const help = keyButton("?", "Keys", () => dialog.showModal());
  const head = make("div", { class: "hel-head" }, count, progress, facts, who, help);

  const others = make("div", { class: "hel-others", role: "note", "aria-label": "Answers so far" });
  const turns = make("div", { class: "hel-turns", role: "listbox", tabindex: "0", "aria-label": "Turns of the conversation" });
  const yes = keyButton("y", "Handoff", () => decide(true));
  const no = keyButton("n", "No handoff", () => decide(false));
  const place = make("span", { class: "hel-place" });
  const here = keyButton("Space", "This turn", () => mark(draft.cursor));
  const close = keyButton("c", "The close", () => mark(closeIndex()));
  const reasons = model.get("reasons").map((reason, index) => {
    const button = keyButton(String(index + 1), reason.name, () => toggle(reason.code), { class: "hel-button hel-reason" });
    button.append(make("small", { text: reason.when }));
    return button;
  });
  const note = make("textarea", { id: `${prefix}-note`, rows: "1", on: { input: () => { draft.note = note.value; } } });
  const save = keyButton("Enter", "Save, next", () => submit(), { class: "hel-button hel-save" });
  const back = keyButton("u", "Back", () => ask("back"));
  const leave = keyButton("Esc", "Leave as it was", () => ask("leave"));
  const group = (name, beside, className, ...children) =>
    make("div", { role: "group", "aria-label": name },
      make("div", { class: "hel-title" }, make("span", { text: name, "aria-hidden": "true" }), beside),
      make("div", { class: className }, ...children));
  const panel = make("div", { class: "hel-panel" },
    group("Must a person act or answer?", "", "hel-row", yes, no),
    group("From which turn on?", place, "hel-row", here, close),
    group("Why? The main reason first", "", "hel-reasons", ...reasons),
    make("label", { class: "hel-title", for: note.id }, make("span", { text: "Note, where it is borderline" }), make("kbd", { text: "e", "aria-hidden": "true" })),
    note,
    make("div", { class: "hel-row hel-actions" }, save, back, leave));
  const body = make("div", { class: "hel-body" }, turns, panel);
  const { node: message, say } = messageLine();
  const refusals = make("details", { class: "hel-refusals" });
  const dialog = keysDialog("Keys and rules", KEYS, RULES, () => turns.focus({ preventScroll: true }));
  if (isWebAddress(model.get("guide"))) {
    head.insertBefore(make("a", { href: model.get("guide"), target: "_blank", rel: "noreferrer", text: "Labelling guide" }), help);
  }
  const root = make("div", { class: "hel hel-labeler", role: "group", "aria-label": "Label conversations" },
    head, message, others, body, refusals, dialog);

  const closeIndex = () => turns.children.length - 1;
  const kernel = askKernel(model, () => say("error",
    "The kernel has not confirmed this, so it may not be saved. If it is dead, restart it and run the cell again: you go on where it stopped."));
  const ask = (action, content) => kernel.ask(action, content);

  function decide(handoff) {
    draft.handoff = handoff;
    paint();
    if (!handoff) say("info", "No handoff. Enter saves.");
    else sayWhatIsMissing();
  }

  function mark(index) {
    draft.handoff = true;
    draft.mark = index;
    move(index);
    sayWhatIsMissing();
  }

  function toggle(code) {
    if (draft.handoff === false) {
      say("error", "A reason belongs to a handoff. Press y first.");
      return;
    }
    draft.handoff = true;
    draft.reasons = draft.reasons.includes(code) ? draft.reasons.filter((other) => other !== code) : [...draft.reasons, code];
    paint();
    sayWhatIsMissing();
  }

  function missing() {
    if (draft.handoff === null) return "Handoff or not? Press y or n.";
    if (draft.handoff && draft.mark === null) return "From which turn on? Move to it and press Space, or c for the close.";
    if (draft.handoff && draft.reasons.length === 0) return "Why? Press 1 to 6.";
    return null;
  }

  function sayWhatIsMissing() {
    say("info", missing() ?? "Complete. Enter saves.");
  }

  function submit() {
    const gap = missing();
    if (gap !== null) {
      say("error", gap);
      return;
    }
    const { conversation } = model.get("view");
    ask("answer", {
      conversation_id: conversation.id,
      handoff: draft.handoff,
      at_turn: draft.handoff && draft.mark < closeIndex() ? draft.mark : null,
      reasons: draft.handoff ? draft.reasons : [],
      note: draft.note,
    });
  }

  function move(index) {
    draft.cursor = Math.max(0, Math.min(closeIndex(), index));
    paint();
    const option = turns.children[draft.cursor].getBoundingClientRect();
    const pane = turns.getBoundingClientRect();
    const room = 8;
    if (option.top < pane.top + room || option.height > pane.height) turns.scrollTop += option.top - pane.top - room;
    else if (option.bottom > pane.bottom - room) turns.scrollTop += option.bottom - pane.bottom + room;
  }

  function turnOption(turn, index) {
    const text = make("div", { class: "hel-text", dir: "auto", text: turn.text });
    if (!turn.text.trim()) {
      text.textContent = "(nothing written)";
      text.classList.add("hel-empty");
    }
    return make("div", { role: "option", id: `${prefix}-${index}`, class: "hel-turn", "data-role": turn.role, on: { click: () => move(index) } },
      make("div", { class: "hel-line" },
        make("span", { class: "hel-number", text: String(index) }),
        make("span", { class: "hel-role", text: ROLES[turn.role] ?? turn.role }),
        make("time", { text: turn.at === null ? "" : turn.at.slice(11) })),
      text);
  }

  function paint() {
    const chosen = draft.handoff ? draft.mark : null;
    [...turns.children].forEach((option, index) => {
      option.classList.toggle("hel-cursor", index === draft.cursor);
      option.setAttribute("aria-selected", String(index === chosen));
      option.querySelector(".hel-flag")?.remove();
      if (index === chosen) {
        const words = index === closeIndex() ? "Handoff warranted only here" : "Handoff warranted from here on";
        option.append(make("div", { class: "hel-flag", text: `⚑ ${words}` }));
      }
    });
    turns.setAttribute("aria-activedescendant", `${prefix}-${draft.cursor}`);
    yes.setAttribute("aria-pressed", String(draft.handoff === true));
    no.setAttribute("aria-pressed", String(draft.handoff === false));
    if (draft.handoff === false) place.textContent = "none";
    else if (draft.mark === null) place.textContent = "not marked";
    else place.textContent = draft.mark === closeIndex() ? "the close" : `turn ${draft.mark}`;
    reasons.forEach((button, index) => {
      const rank = draft.handoff ? draft.reasons.indexOf(model.get("reasons")[index].code) : -1;
      button.setAttribute("aria-pressed", String(rank >= 0));
      button.dataset.rank = rank === 0 ? "main" : "";
    });
  }

  function present(view) {
    const { conversation, answer } = view;
    body.hidden = conversation === null;
    leave.hidden = !view.revising;
    others.replaceChildren(...view.others.map(otherAnswer));
    others.hidden = view.others.length === 0;
    if (conversation === null) {
      facts.textContent = "";
      draft = null;
      return;
    }
    const start = conversation.started_at;
    const length = conversation.turns.length;
    facts.textContent = [conversation.id, start, conversation.channel, `${length} turn${length === 1 ? "" : "s"}`].filter(Boolean).join(" · ");
    const end = make("div", { role: "option", id: `${prefix}-${length}`, class: "hel-turn hel-close", on: { click: () => move(length) } },
      make("div", { class: "hel-line" }, make("span", { class: "hel-role", text: "Close of the conversation" })));
    turns.replaceChildren(...conversation.turns.map(turnOption), end);
    turns.scrollTop = 0;
    const marked = answer?.handoff ? answer.at_turn ?? length : null;
    draft = { handoff: answer?.handoff ?? null, mark: marked, reasons: answer?.reasons ?? [], note: answer?.note ?? "", cursor: 0 };
    note.value = draft.note;
    move(marked ?? 0);
  }

  function otherAnswer({ annotator, handoff, at_turn, reasons: why, note: remark }) {
    const names = new Map(model.get("reasons").map(({ code, name }) => [code, name.toLowerCase()]));
    const where = at_turn === null ? "at the close" : `after turn ${at_turn}`;
    const words = handoff ? `handoff ${where}: ${why.map((code) => names.get(code)).join(", ")}` : "no handoff";
    return make("p", {}, make("strong", { text: annotator }), ` ${words}${remark ? ` (${remark})` : ""}`);
  }

  function update() {
    const view = model.get("view");
    kernel.settle(view);
    const inside = root.contains(document.activeElement);
    count.textContent = `${view.done} of ${view.goal}`;
    progress.value = view.done;
    progress.max = view.goal;
    who.textContent = view.annotator;
    const refused = view.refusals.length;
    refusals.hidden = refused === 0;
    refusals.replaceChildren(make("summary", { text: `${refused} line${refused === 1 ? "" : "s"} of the dataset could not be used` }),
      make("ul", {}, ...view.refusals.map((text) => make("li", { text }))));
    if (view.ticket !== ticket) {
      ticket = view.ticket;
      present(view);
    }
    say(view.message.kind, view.message.text);
    if (inside) (body.hidden ? help : turns).focus({ preventScroll: true });
  }

  const actions = {
    ArrowDown: () => move(draft.cursor + 1),
    j: () => move(draft.cursor + 1),
    ArrowUp: () => move(draft.cursor - 1),
    k: () => move(draft.cursor - 1),
    Home: () => move(0),
    End: () => move(closeIndex()),
    PageDown: () => move(draft.cursor + PAGE),
    PageUp: () => move(draft.cursor - PAGE),
    y: () => decide(true),
    n: () => decide(false),
    " ": () => mark(draft.cursor),
    m: () => mark(draft.cursor),
    c: () => mark(closeIndex()),
    e: () => note.focus({ preventScroll: true }),
    Enter: () => submit(),
  };
  model.get("reasons").forEach(({ code }, index) => {
    actions[String(index + 1)] = () => toggle(code);
  });
  const always = { u: () => ask("back"), "?": () => dialog.showModal() };

  function find(key, { writing, sends, shift }) {
    if (writing) {
      const done = key === "Escape" || (key === "Enter" && !shift);
      if (!done) return undefined;
      return () => {
        turns.focus({ preventScroll: true });
        if (sends) submit();
      };
    }
    if (key === "Escape" && !leave.hidden) return () => ask("leave");
    return always[key] ?? (draft === null ? undefined : actions[key]);
  }

  // The notebook goes on to the next cell after this one has run, at times after the widget is
  // there, and the first keys would end up in that cell. Whatever the user does ends it.
  function takeFocus() {
    const end = new AbortController();
    const take = () => {
      const active = document.activeElement;
      const free = active === document.body || active?.closest(".jp-Notebook")?.contains(el);
      if (end.signal.aborted || !free || root.contains(active)) return;
      (body.hidden ? help : turns).focus({ preventScroll: true });
      root.scrollIntoView({ block: "nearest" });
    };
    for (const event of ["pointerdown", "keydown", "wheel"]) {
      document.addEventListener(event, () => end.abort(), { capture: true, passive: true, signal: end.signal });
    }
    for (const wait of FOCUS_AFTER) setTimeout(take, wait);
    return () => end.abort();
  }

  listenForKeys(root, find);
  // After a click with the mouse the keys must go on working as before it.
  root.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("button") && !dialog.open) turns.focus({ preventScroll: true });
  });
  const leaveStage = stage(model, el, root, update);
  const letGo = takeFocus();

  return () => {
    leaveStage();
    letGo();
    kernel.stop();
  };
}

export default { render };
