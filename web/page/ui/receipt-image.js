/** The receipt as a QR code and as an image, drawn from its text and from nothing else. */
import { generate } from "lean-qr/nano";
import { h } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
/** Modules of white around a QR code (ISO/IEC 18004). */
const QUIET_ZONE = 4;
/** Pixels of the saved image, with one line of text in each row. */
const IMAGE = { width: 900, row: 150, font: "600 72px ui-monospace, Menlo, Consolas, monospace" };

/**
 * A QR code that another phone can read.
 *
 * @param {string} text
 * @param {string} label for screen readers
 */
export function qrCode(text, label) {
  const code = generate(text);
  const side = code.size + 2 * QUIET_ZONE;
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  let drawn = "";
  for (let y = 0; y < code.size; y += 1)
    for (let x = 0; x < code.size; x += 1)
      if (code.get(x, y)) drawn += `M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z`;
  path.setAttribute("d", drawn);
  for (const [name, value] of [
    ["viewBox", `0 0 ${side} ${side}`],
    ["class", "code-picture"],
    ["role", "img"],
    ["aria-label", label],
  ])
    svg.setAttribute(String(name), String(value));
  svg.append(path);
  return svg;
}

/**
 * An image with these lines of text, and nothing that says what they are.
 *
 * @param {string[]} lines
 * @returns {Promise<Blob | null>} null if the browser cannot make one
 */
export function imageOf(lines) {
  const height = IMAGE.row * (lines.length + 1);
  const canvas = h("canvas", { width: IMAGE.width, height });
  const pen = canvas.getContext("2d");
  if (!pen) return Promise.resolve(null);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, IMAGE.width, height);
  pen.fillStyle = "#222";
  pen.font = IMAGE.font;
  pen.textAlign = "center";
  for (const [at, line] of lines.entries()) pen.fillText(line, IMAGE.width / 2, IMAGE.row * (at + 1));
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
