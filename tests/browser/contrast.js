// Returns the number of texts on screen in the labeler, and those below the contrast of 4.5 that
// WCAG 2.2, 1.4.3 asks of them. Axe passes over most of the texts inside a notebook.
() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { channels: [r, g, b], alpha: a };
  };
  const over = (top, under) => top.channels.map((value, i) => value * top.alpha + under[i] * (1 - top.alpha));
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (channels) => {
    const [r, g, b] = channels.map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backOf = (node) => {
    const back = parse(getComputedStyle(node).backgroundColor);
    if (back.alpha === 1 || node.parentElement === null) return back.channels;
    return over(back, backOf(node.parentElement));
  };
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
  const texts = [...document.querySelectorAll(".hel-labeler *")].filter((node) => node.checkVisibility() && hasText(node));
  const faint = texts.flatMap((node) => {
    const back = backOf(node);
    const [one, other] = [luminance(over(parse(getComputedStyle(node).color), back)), luminance(back)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return ratio < 4.5 ? [`${node.className || node.tagName} ${ratio.toFixed(2)}`] : [];
  });
  return [texts.length, faint];
}
