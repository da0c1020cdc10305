// Draws one conversation with what a trigger made of it.

const TRACK = { width: 600, height: 84, left: 8, right: 8, top: 8, bottom: 8 };

function scoreText(score) {
  return score === null ? "" : score.toFixed(3);
}

function placeWords({ turns, closed }) {
  return closed ? "at the close" : `after turn ${turns}`;
}

function scoreTrack(shown) {
  const { points, threshold, fire } = shown;
  const { width, height, left, right, top, bottom } = TRACK;
  const x = (i) => (points.length === 1 ? width / 2 : left + (i * (width - left - right)) / (points.length - 1));
  const y = (score) => height - bottom - score * (height - top - bottom);
  const line = (key, name) => draw("polyline", { class: name, points: points.map((p, i) => `${x(i)},${y(p[key])}`).join(" ") });
  const words = points.map((p) => `${placeWords(p)} ${scoreText(p.score)}`).join(", ");
  const cut = threshold === null ? "" : ` The threshold is ${scoreText(threshold)}.`;
  const svg = draw("svg", { class: "hel-track", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Scores along the way: ${words}.${cut}` },
    draw("line", { class: "hel-floor", x1: 0, x2: width, y1: y(0), y2: y(0) }));
  if (threshold !== null && threshold <= 1) svg.append(draw("line", { class: "hel-cut", x1: 0, x2: width, y1: y(threshold), y2: y(threshold) }));
  if (points[0].before !== null) svg.append(line("before", "hel-was"));
  svg.append(line("score", "hel-is"));
  points.forEach((p, i) => {
    const kind = i === fire ? "hel-dot hel-fires" : "hel-dot";
    svg.append(draw("circle", { class: kind, cx: x(i), cy: y(p.score), r: i === fire ? 6 : 3.5 }));
  });
  return svg;
}

function badge(kind, text) {
  return make("span", { class: "hel-badge", "data-kind": kind, text });
}

function pointLine(point, fires) {
  const fire = fires ? [badge("fire", "email sent")] : [];
  if (point.score === null) return make("div", { class: "hel-point" }, make("span", { text: "decision point" }), ...fire);
  const before = point.before === null ? "" : `${scoreText(point.before)} → `;
  const meter = make("span", { class: "hel-meter", "aria-hidden": "true" });
  meter.style.setProperty("--hel-share", point.score);
  return make("div", { class: "hel-point" }, make("span", { text: `score ${before}${scoreText(point.score)}` }), meter, ...fire);
}

function drawTranscript(shown) {
  const { turns, points, fire, evidence, label, clause, reason } = shown;
  const after = new Map(points.map((point, i) => [point.closed ? "close" : point.turns, i]));
  const warranted = (turn) => (label?.handoff && label.at_turn === turn ? [badge("label", "handoff warranted from here")] : []);
  const why = [reason?.replaceAll("_", " "), clause && `“${clause}”`].filter(Boolean).join(", ");
  const turnItem = (turn, index) => {
    const point = after.get(index + 1);
    const item = make("li", { class: "hel-turn", "data-role": turn.role },
      make("div", { class: "hel-line" }, make("span", { class: "hel-number", text: index + 1 }), make("span", { class: "hel-role", text: ROLES[turn.role] }),
        ...warranted(index), ...(evidence === index ? [badge("evidence", why ? `evidence: ${why}` : "evidence")] : []),
        ...(turn.at ? [make("time", { text: turn.at.slice(11) })] : [])),
      make("div", { class: turn.text ? "hel-text" : "hel-text hel-empty", dir: "auto", text: turn.text || "(empty)" }));
    if (point !== undefined) item.append(pointLine(points[point], point === fire));
    if (label?.handoff && label.at_turn === index) item.dataset.label = "";
    if (evidence === index) item.dataset.evidence = "";
    if (point !== undefined && point === fire) item.dataset.fire = "";
    return item;
  };
  const close = after.get("close");
  const end = make("li", { class: "hel-turn hel-close" },
    make("div", { class: "hel-line" }, make("span", { class: "hel-role", text: "Close of the conversation" }), ...warranted(null)),
    pointLine(points[close], close === fire));
  if (label?.handoff && label.at_turn === null) end.dataset.label = "";
  if (close === fire) end.dataset.fire = "";
  return make("ol", { class: "hel-said" }, ...turns.map(turnItem), end);
}

function factsOf({ id, started_at: started, channel, turns }) {
  return [id, started, channel, `${turns.length} turn${turns.length === 1 ? "" : "s"}`].filter(Boolean).join(" · ");
}
