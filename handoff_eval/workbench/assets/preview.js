// The screen of the email preview. The email's HTML is shut in a frame that runs no script.

const PREVIEW_KEYS = [
  ["→ or n, ← or p", "next email, previous email"],
  ["h, t, c", "the email as HTML, as plain text, what the agent tells the customer"],
  ["?", "these keys"],
];
const TABS = [["html", "h", "HTML"], ["plain", "t", "Plain text"], ["customer", "c", "To the customer"]];

function render({ model, el }) {
  const prefix = uniquePrefix();
  let open = "html";
  let shownHtml = null;
  const count = make("strong", { class: "hel-count" });
  const facts = make("span", { class: "hel-facts" });
  const previous = keyButton("←", "Previous", () => step(-1));
  const next = keyButton("→", "Next", () => step(1));
  const help = keyButton("?", "Keys", () => dialog.showModal());
  const headers = make("dl", { class: "hel-headers" });
  const { node: message, say } = messageLine();
  const frame = make("iframe", { title: "The email as HTML", sandbox: "", referrerpolicy: "no-referrer" });
  const plain = make("pre", { dir: "auto" });
  const customer = make("p", { class: "hel-told", dir: "auto" });
  const panels = { html: frame, plain, customer };
  const tabs = new Map(TABS.map(([name, key, text]) => [name,
    keyButton(key, text, () => show(name), { role: "tab", id: `${prefix}-${name}`, "aria-controls": `${prefix}-panel` })]));
  const panel = make("div", { role: "tabpanel", id: `${prefix}-panel`, tabindex: "0", class: "hel-email" }, frame, plain, customer);
  const dialog = keysDialog("Keys of the email preview", PREVIEW_KEYS, [], () => panel.focus({ preventScroll: true }));
  const root = make("div", { class: "hel hel-preview", role: "group", "aria-label": "Preview the emails" },
    make("div", { class: "hel-head" }, count, previous, next, facts, help), headers,
    make("div", { role: "tablist", "aria-label": "Parts of the email", class: "hel-row hel-tabs" }, ...tabs.values()), panel, message, dialog);
  const kernel = askKernel(model, () => say("error", NO_KERNEL));
  const { step, settle } = stepper(kernel);

  function show(name) {
    open = name;
    for (const [key, tab] of tabs) {
      tab.setAttribute("aria-selected", String(key === name));
      tab.tabIndex = key === name ? 0 : -1;
      panels[key].hidden = key !== name;
    }
    panel.setAttribute("aria-labelledby", tabs.get(name).id);
  }

  function beside(by) {
    const names = TABS.map(([name]) => name);
    show(names[(names.indexOf(open) + by + names.length) % names.length]);
    tabs.get(open).focus();
  }

  function update() {
    const view = model.get("view");
    const settled = kernel.settle(view);
    count.textContent = `${view.place + 1} of ${view.count}`;
    facts.textContent = [view.id, ...view.attachments.map((name) => `attached: ${name}`)].join(" · ");
    headers.replaceChildren(...view.headers.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value, dir: "auto" })]));
    if (view.html !== shownHtml) frame.srcdoc = view.html;
    shownHtml = view.html;
    plain.textContent = view.plain;
    customer.textContent = view.customer;
    show(open);
    say(view.message.kind, view.message.text);
    if (settled) settle();
  }

  const actions = {
    ArrowRight: () => step(1),
    n: () => step(1),
    ArrowLeft: () => step(-1),
    p: () => step(-1),
    h: () => show("html"),
    t: () => show("plain"),
    c: () => show("customer"),
    "?": () => dialog.showModal(),
  };
  listenForKeys(root, (key, { target }) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    if (target.matches("[role=tab]") && key in steps) return () => beside(steps[key]);
    return actions[key];
  });
  const leave = stage(model, el, root, update);
  return () => {
    leave();
    kernel.stop();
  };
}

export default { render };
