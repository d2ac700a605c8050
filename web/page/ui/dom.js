/** Builds elements. Strings become text nodes; nothing here parses markup. */

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | undefined | ((event: Event) => void)>} Attributes */

/**
 * An element. Attributes that are false or undefined are left out; functions are listeners, such as `onclick`.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined)
      element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...present(children.flat()));
  return element;
}

/**
 * The children without those that stand for nothing.
 *
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
export function present(children) {
  return /** @type {(Node | string)[]} */ (children.filter((child) => child || child === ""));
}

/**
 * Changes the text of a line only if it differs, so that screen readers do not repeat it.
 *
 * @param {HTMLElement} line
 * @param {string} text
 */
export function write(line, text) {
  if (line.textContent !== text) line.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";

/** Paths of icons on a 24 by 24 grid. */
const DRAWINGS = {
  leave: "M10 4H5v16h5M10 12h10M16 8l4 4-4 4",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  hash: "M9 4 7 20M17 4l-2 16M4.5 9h16M3.5 15h16",
  shield: "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4",
  warning: "M12 4 2.5 20h19zM12 10v4M12 17h.01",
  check: "M5 13l4 4L19 7",
  external: "M8 6h10v10M18 6 7 17",
  next: "M9 6l6 6-6 6",
  back: "M15 6l-6 6 6 6",
  mark: "M12 2.5l8 3v6c0 5.2-3.3 8.5-8 10.5-4.7-2-8-5.3-8-10.5v-6zM15.5 11H9M11.5 8L8.5 11l3 3",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  heart: "M12 20s-7-4.4-7-10a4 4 0 0 1 7-2.6A4 4 0 0 1 19 10c0 5.6-7 10-7 10z",
};

/** @typedef {keyof typeof DRAWINGS} Drawing */

/**
 * An icon beside text; screen readers skip it.
 *
 * @param {Drawing} name
 */
export function drawing(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", DRAWINGS[name]);
  for (const [key, value] of [
    ["viewBox", "0 0 24 24"],
    ["class", `drawing ${name}`],
    ["aria-hidden", "true"],
    ["focusable", "false"],
  ]) {
    svg.setAttribute(String(key), String(value));
  }
  svg.append(path);
  return svg;
}
