// The screen of the threshold slider. Everything that a move shows is here already, so moving
// asks nobody; another budget is asked of the kernel.

const SLIDER_KEYS = [
  ["←, →, Page Up, Page Down", "lower or higher threshold, by one or by ten"],
  ["Home, End", "the lowest, the highest threshold"],
  ["b", "back to the threshold chosen for the budget"],
  ["Enter in a field", "try another budget"],
  ["r", "the budget as it was stated"],
  ["?", "these keys"],
];

function render({ model, el }) {
  const prefix = uniquePrefix();
  const name = make("strong", {});
  const help = keyButton("?", "Keys", () => dialog.showModal());
  const back = keyButton("b", "Chosen threshold", () => move(model.get("view").chosen));
  const range = make("input", { type: "range", min: 0, step: 1, "aria-label": "Threshold", class: "hel-range", on: { input: () => move(Number(range.value)) } });
  const promise = make("p", { class: "hel-promise", role: "status" });
  const interval = make("p", { class: "hel-interval" });
  const rows = make("tbody", {});
  const readings = make("table", { class: "hel-readings" },
    make("thead", {}, make("tr", {}, ...["On tune", "Value", "95 % interval", "n"].map((text) => make("th", { scope: "col", text })))), rows);
  const place = make("div", { class: "hel-curves-place" });
  const dial = make("div", { class: "hel-dial" }, place, range);
  const field = (key, label) => {
    const input = make("input", { type: "text", inputmode: "decimal", id: `${prefix}-${key}`, size: 6, on: { change: () => tryBudget() } });
    return { input, row: make("span", { class: "hel-field" }, make("label", { for: input.id, text: label }), input) };
  };
  const emails = field("emails", "Emails a day at most");
  const recall = field("recall", "Recall at least, in %");
  const stated = keyButton("r", "As stated", () => ask("stated"));
  const note = make("p", { class: "hel-note" });
  const { node: message, say } = messageLine();
  const dialog = keysDialog("Keys of the threshold slider", SLIDER_KEYS, [], () => range.focus({ preventScroll: true }));
  const root = make("div", { class: "hel hel-slider", role: "group", "aria-label": "Choose a threshold" },
    make("div", { class: "hel-head" }, name, make("span", { class: "hel-facts" }), back, help),
    make("div", { class: "hel-budget hel-row" }, emails.row, recall.row, stated),
    message, promise, dial, readings, interval, note, dialog);
  const kernel = askKernel(model, () => say("error", NO_KERNEL));
  const turn = askInTurn(kernel);
  const ask = (action, content) => turn.request(() => kernel.ask(action, content));
  let lines = [];
  let drawn = null;

  function tryBudget() {
    ask("budget", { max_emails_per_day: emails.input.value, min_recall: recall.input.value });
  }

  function move(step) {
    const last = model.get("readings").length - 1;
    const to = Math.max(0, Math.min(last, step));
    model.set("step", to);
    model.save_changes();
    paint();
  }

  function paint() {
    const view = model.get("view");
    const step = model.get("step");
    const reading = model.get("readings")[step];
    range.value = step;
    range.setAttribute("aria-valuetext", `${reading.threshold}. ${reading.rows.map(([what, value]) => `${what} ${value}`).join(", ")}`);
    name.textContent = `${view.trigger} at threshold ${reading.threshold}`;
    rows.replaceChildren(...reading.rows.map(([what, ...cells]) =>
      make("tr", {}, make("th", { scope: "row", text: what }), ...cells.map((text) => make("td", { text })))));
    promise.textContent = view.promises[step];
    promise.dataset.kept = view.kept !== null && step >= view.kept[0] && step <= view.kept[1];
    const share = range.max === "0" ? 0 : step / Number(range.max);
    const x = view.cursor.from + share * view.cursor.span;
    for (const line of lines) {
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
  }

  function redraw(view) {
    if (view.picture === drawn) return;
    drawn = view.picture;
    const svg = document.importNode(new DOMParser().parseFromString(drawn, "image/svg+xml").documentElement, true);
    place.replaceChildren(svg);
    lines = [...svg.querySelectorAll(".hel-cursor-line")];
    const { width } = svg.viewBox.baseVal;
    dial.style.setProperty("--hel-from", view.cursor.from / width);
    dial.style.setProperty("--hel-span", view.cursor.span / width);
  }

  function update() {
    const view = model.get("view");
    const settled = kernel.settle(view);
    range.max = model.get("readings").length - 1;
    emails.input.value = view.budget.max_emails_per_day;
    recall.input.value = view.budget.min_recall;
    stated.disabled = view.stated;
    interval.textContent = view.interval;
    note.textContent = view.note;
    redraw(view);
    say(view.message.kind, view.message.text);
    paint();
    if (settled) turn.settle();
  }

  const by = (steps) => () => move(model.get("step") + steps);
  const actions = {
    ArrowLeft: by(-1),
    ArrowDown: by(-1),
    ArrowRight: by(1),
    ArrowUp: by(1),
    PageDown: by(-10),
    PageUp: by(10),
    Home: () => move(0),
    End: () => move(Number(range.max)),
    b: () => move(model.get("view").chosen),
    r: () => ask("stated"),
    "?": () => dialog.showModal(),
  };
  listenForKeys(root, (key, { writing }) => {
    if (!writing) return actions[key];
    return key === "Escape" ? () => range.focus({ preventScroll: true }) : undefined;
  });
  model.on("change:step", paint);
  const leave = stage(model, el, root, update);
  return () => {
    leave();
    model.off("change:step", paint);
    kernel.stop();
  };
}

export default { render };
