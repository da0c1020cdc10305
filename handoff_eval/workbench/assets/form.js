// The screen of the handoff form. What is typed is kept here; the kernel says what is wrong with it.

const NEW = " new";
const SAVING = 60_000;

function render({ model, el }) {
  const prefix = uniquePrefix();
  const first = model.get("view");
  const boxes = new Map();
  let ticket = null;

  const file = make("strong", {});
  const which = make("select", { "aria-label": "Which handoff", on: { change: () => request("open", { name: which.value === NEW ? null : which.value }) } });
  const { node: message, say } = messageLine();
  const findings = make("div", { "aria-live": "polite", "aria-label": "Findings on the instruction", role: "group" });
  const save = keyButton("Ctrl+Enter", "Save", () => request("save"), { class: "hel-button hel-save" });
  const check = afterPause(() => request("check"));

  function fieldRow({ name, label, hint, lines }) {
    const id = `${prefix}-${name.replace(".", "-")}`;
    const typed = { id, "aria-describedby": `${id}-hint ${id}-wrong`, on: { input: check } };
    const box = lines > 1 ? make("textarea", { ...typed, rows: lines }) : make("input", { ...typed, type: "text", autocomplete: "off" });
    const wrong = make("span", { id: `${id}-wrong`, class: "hel-wrong" });
    boxes.set(name, { box, wrong });
    const row = make("div", { class: lines > 1 ? "hel-input hel-tall" : "hel-input" }, make("label", { for: id, text: label }), box,
      make("small", { id: `${id}-hint`, text: hint }), wrong);
    if (name === "instruction") row.append(findings);
    return row;
  }

  const groups = first.groups.map(({ title, fields }) =>
    make("fieldset", {}, make("legend", { text: title }), ...fields.map(fieldRow)));
  const root = make("div", { class: "hel hel-form", role: "group", "aria-label": "Set up a handoff" },
    make("div", { class: "hel-head" }, file, which, make("span", { class: "hel-facts" }), save), message, ...groups);
  const kernel = askKernel(model, () => say("error", `${NO_KERNEL} What you typed is still here.`));
  const turn = askInTurn(kernel);

  const texts = () => Object.fromEntries([...boxes].map(([name, { box }]) => [name, box.value]));

  // The first saving of a session opens the registry, which takes seconds.
  function request(action, content = {}) {
    const send = () => kernel.ask(action, { texts: texts(), ...content }, SAVING);
    turn.request(send, { yields: action === "check" });
  }

  function update() {
    const view = model.get("view");
    const settled = kernel.settle(view);
    file.textContent = view.file;
    which.replaceChildren(...view.names.map((name) => make("option", { value: name, text: name })), make("option", { value: NEW, text: "a new handoff" }));
    which.value = view.name ?? NEW;
    const fresh = view.ticket !== ticket;
    ticket = view.ticket;
    for (const [name, { box, wrong }] of boxes) {
      if (fresh) box.value = view.texts[name];
      wrong.textContent = view.wrong[name] ?? "";
      box.setAttribute("aria-invalid", String(name in view.wrong));
    }
    const instruction = boxes.get("instruction").box;
    if (instruction.value === view.texts.instruction) {
      findings.replaceChildren(...findingsList(view.findings, instruction.value, (text) => {
        instruction.value = text;
        instruction.focus();
        request("check");
      }));
    }
    if (view.message.text || settled) say(view.message.kind, view.message.text);
    if (settled) turn.settle();
  }

  listenForKeys(root, (_, { sends }) => (sends ? () => request("save") : undefined));
  const leave = stage(model, el, root, update);
  return () => {
    leave();
    kernel.stop();
  };
}

export default { render };
