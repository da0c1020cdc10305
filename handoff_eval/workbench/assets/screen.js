// What all widgets share. Texts go in as text, never as HTML.

const ROLES = { customer: "Customer", agent: "Agent", human: "Human", system: "System" };
const PATIENCE = 10_000;
const SVG = "http://www.w3.org/2000/svg";

function fill(node, { text, ...properties } = {}, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name === "class") node.setAttribute("class", value);
    else if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else node.setAttribute(name, value);
  }
  if (text !== undefined) node.textContent = text;
  node.append(...children);
  return node;
}

const make = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
const draw = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

function keyButton(key, text, action, properties = {}) {
  return make("button", { type: "button", class: "hel-button", on: { click: (event) => action(event) }, ...properties },
    make("kbd", { text: key, "aria-hidden": "true" }), make("span", { text }));
}

function uniquePrefix() {
  return `hel-${Math.random().toString(36).slice(2)}`;
}

// One line in which the widget answers; it is read out when it changes.
function messageLine() {
  const node = make("div", { class: "hel-message", role: "status" });
  const say = (kind, text) => {
    if (node.textContent !== text) node.textContent = text;
    node.dataset.kind = kind;
  };
  return { node, say };
}

// One question to the kernel at a time, each answered by a view that names it.
function askKernel(model, onLate) {
  const prefix = uniquePrefix();
  let pending = null;
  let requests = 0;
  return {
    isWaiting: () => pending !== null,
    ask(action, content = {}, patience = PATIENCE) {
      if (pending !== null) return false;
      const request = `${prefix}-${++requests}`;
      const late = () => {
        pending = null;
        onLate();
      };
      pending = { request, timer: patience === null ? null : setTimeout(late, patience) };
      try {
        model.send({ action, request, ...content });
      } catch {
        clearTimeout(pending.timer);
        late();
      }
      return true;
    },
    settle(view) {
      if (pending === null || view.reply_to !== pending.request) return false;
      clearTimeout(pending.timer);
      pending = null;
      return true;
    },
    stop() {
      if (pending !== null) clearTimeout(pending.timer);
    },
  };
}

// Steps through a row of things; keys that come while one is under way are taken together.
function stepper(kernel) {
  let owed = 0;
  const step = (by) => {
    if (!kernel.ask("step", { by })) owed += by;
  };
  const settle = () => {
    const by = owed;
    owed = 0;
    if (by !== 0) step(by);
  };
  return { step, settle };
}

// Asks now, or once the answer that is awaited is there. Of several that wait the last is asked;
// one that yields gives way to any.
function askInTurn(kernel) {
  let waiting = null;
  const request = (send, { yields = false } = {}) => {
    if (!kernel.isWaiting()) send();
    else if (!yields || waiting === null) waiting = send;
  };
  const settle = () => {
    const send = waiting;
    waiting = null;
    send?.();
  };
  return { request, settle };
}

const NO_KERNEL = "The kernel does not answer. If it is dead, restart it and run the cell again.";

function keysDialog(name, keys, notes, back) {
  const dialog = make("dialog", { class: "hel-dialog", "aria-label": name },
    make("table", {}, make("caption", { text: "Keys" }), ...keys.map(([key, what]) =>
      make("tr", {}, make("th", { scope: "row", text: key }), make("td", { text: what })))),
    ...(notes.length ? [make("ul", {}, ...notes.map((text) => make("li", { text })))] : []),
    keyButton("Esc", "Close", () => dialog.close(), { autofocus: "" }));
  dialog.addEventListener("close", () => back());
  return dialog;
}

const WRITES = "textarea, select, input:not([type=range]):not([type=checkbox]):not([type=radio])";

// The notebook has shortcuts of its own: inside a widget d, d must not delete a cell.
function listenForKeys(root, find) {
  root.addEventListener("keydown", (event) => {
    if (event.key === "Tab" || event.isComposing) return;
    const writing = event.target.matches(WRITES);
    const chord = event.ctrlKey || event.metaKey || event.altKey;
    const sends = writing && event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (chord && !sends) return;
    event.stopPropagation();
    if (root.querySelector("dialog[open]")) return;
    const pressed = event.target.matches("button, a, summary") && [" ", "Enter"].includes(event.key);
    if (pressed) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = find(key, { writing, sends, shift: event.shiftKey, target: event.target });
    if (!action) return;
    event.preventDefault();
    action();
  });
}

// Puts the widget on the page, draws each view, and hands back what takes it away again.
function stage(model, el, root, update) {
  model.on("change:view", update);
  el.append(root);
  update();
  return () => model.off("change:view", update);
}
