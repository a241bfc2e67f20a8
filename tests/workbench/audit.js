// Returns a list of sentences: what is wrong with this page for a reader who is offline, on a phone, in the dark, without
// sight, or without a mouse.
(() => {
  const problems = [];
  const all = [...document.querySelectorAll("*")];
  const name = (e) => `<${e.tagName.toLowerCase()}> "${(e.textContent || "").trim().slice(0, 40)}"`;
  const attribute = (e, key) => (e.getAttribute(key) || "").trim();
  const labelled = (e) =>
    attribute(e, "aria-label") || document.getElementById(attribute(e, "aria-labelledby"))?.textContent.trim();
  const found = (what, elements) => elements.forEach((e) => problems.push(`${what}: ${name(e)}`));
  const select = (selector) => [...document.querySelectorAll(selector)];

  // Nothing runs, nothing is loaded.
  found("active element", select("script, iframe, object, embed, base, form, link, portal, frame, applet, template"));
  for (const e of all)
    for (const { name: key, value } of e.attributes) {
      if (/^on/i.test(key)) problems.push(`event handler ${key}: ${name(e)}`);
      const loads = /^(src|srcset|href|xlink:href|data|poster|action|formaction|background)$/i.test(key);
      if (loads && e.tagName !== "A" && !value.startsWith("#")) problems.push(`load ${key}=${value}: ${name(e)}`);
      if (/url\(\s*["']?(?!#)/i.test(value)) problems.push(`load in ${key}=${value}: ${name(e)}`);
      if (/javascript:/i.test(value) && loads) problems.push(`code in ${key}: ${name(e)}`);
    }
  for (const e of select("style"))
    if (/@import|url\(\s*["']?(?!["']?#)/i.test(e.textContent)) problems.push("load in a style sheet");

  // Structure.
  if (!document.documentElement.lang) problems.push("no language");
  if (!document.title.trim()) problems.push("no title");
  if (select("main").length !== 1) problems.push("not one main");
  const ids = all.filter((e) => e.id).map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) problems.push(`id twice: ${id}`);
  for (const e of select("[href^='#'], [aria-labelledby]")) {
    const id = (attribute(e, "href") || "#" + attribute(e, "aria-labelledby")).slice(1);
    if (!document.getElementById(id)) problems.push(`nothing has the id ${id}`);
  }
  let level = 0;
  for (const heading of select("h1, h2, h3, h4, h5, h6")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1 || (own === 1 && level)) problems.push(`heading level ${own} after ${level}: ${name(heading)}`);
    if (!heading.textContent.trim()) problems.push("empty heading");
    level = own;
  }
  if (!level) problems.push("no heading");

  // Labels.
  const needing = "table, figure, section, nav, svg, [role=img], [role=region]";
  found("no label", select(needing).filter((e) => !labelled(e)));
  found("table without header cells", select("table").filter((e) => !e.querySelector("thead th[scope=col]")));
  found("row without header", select("tbody tr").filter((e) => !e.querySelector("th[scope=row]")));
  found("link without text", select("a").filter((e) => !e.textContent.trim()));

  // Room.
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width)
    problems.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}`);
  const inside = (e) => e.closest(".scroll") && !e.matches(".scroll");
  const out = (e) => e.getBoundingClientRect().right > width + 1 && !inside(e) && !e.closest("svg");
  found("sticks out", all.filter(out));
  const scrolls = (e) => e.scrollWidth > e.clientWidth && /auto|scroll/.test(getComputedStyle(e).overflowX);
  found("scrolls, but not by keyboard", all.filter((e) => scrolls(e) && e.tabIndex < 0));
  found("draws outside its figure", select("svg text").filter((e) => {
    const own = e.getBoundingClientRect(), frame = e.ownerSVGElement.getBoundingClientRect();
    return own.left < frame.left - 2 || own.right > frame.right + 2;
  }));

  // Contrast, of text against what lies behind it.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[3] * top[i] + (1 - top[3]) * below[i]).concat(1);
  const behind = (e) => {
    if (!e) return [255, 255, 255, 1];
    const own = rgba(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(e.parentElement));
  };
  const luminance = (color) => {
    const part = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(color[0]) + 0.7152 * part(color[1]) + 0.0722 * part(color[2]);
  };
  const texts = all.filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  for (const e of texts) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!box.width || !box.height || style.visibility === "hidden") continue;
    const back = behind(e), drawn = e.ownerSVGElement;
    const front = over(rgba(drawn ? style.fill : style.color), back);
    const [dark, light] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)}: ${name(e)}`);
    const size = parseFloat(style.fontSize) * (drawn ? drawn.getScreenCTM().a : 1);
    if (size < 9.5) problems.push(`text of ${size.toFixed(1)} px: ${name(e)}`);
  }
  return problems;
})()
