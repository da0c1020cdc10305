// Keys for what the form does anyway; without this file everything works by mouse and tab.
const form = document.getElementById("review");
const all = (name) => [...form.querySelectorAll(`[name="${name}"]`)];
const choose = (input) => {
  if (!input) return;
  input.checked = input.type === "radio" ? true : !input.checked;
  input.focus();
};
const step = (by) => {
  const places = all("at_turn");
  const at = places.findIndex((place) => place.checked);
  const to = at < 0 ? (by > 0 ? 0 : places.length - 1) : at + by;
  choose(places[Math.min(Math.max(to, 0), places.length - 1)]);
};
const keys = {
  y: () => choose(all("needed")[0]),
  n: () => choose(all("needed")[1]),
  j: () => step(1),
  k: () => step(-1),
  a: () => choose(all("answered")[0]),
  w: () => document.getElementById("note").focus(),
  s: () => document.getElementById("skip").click(),
};
document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("textarea");
  if (event.key === "Enter" && (!writing || event.ctrlKey || event.metaKey)) {
    if (event.target.matches("a, button")) return;
    event.preventDefault();
    form.requestSubmit();
    return;
  }
  if (event.key === "Escape" && writing) event.target.blur();
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const reason = all("reasons")[Number(event.key) - 1];
  const act = keys[event.key] ?? (reason && (() => choose(reason)));
  if (!act) return;
  event.preventDefault();
  act();
});
document.documentElement.classList.add("scripted");
