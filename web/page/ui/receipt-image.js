/** The receipt as a QR code and as a picture: drawn from its words, and from nothing else. */
import { generate } from "lean-qr/nano";
import { h } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
/** White modules around a QR code, as ISO 18004 asks. */
const QUIET = 4;
/** Pixels of the saved picture: one line of the receipt in each row. */
const PICTURE = { width: 900, row: 150, font: "600 72px ui-monospace, Menlo, Consolas, monospace" };

/**
 * A QR code that another phone can read.
 *
 * @param {string} words
 * @param {string} label for those who cannot see it
 */
export function codeOf(words, label) {
  const code = generate(words);
  const side = code.size + 2 * QUIET;
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  let drawn = "";
  for (let y = 0; y < code.size; y += 1)
    for (let x = 0; x < code.size; x += 1) if (code.get(x, y)) drawn += `M${x + QUIET} ${y + QUIET}h1v1h-1z`;
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
 * A picture with these lines on it and nothing that says what they are.
 *
 * @param {string[]} lines
 * @returns {Promise<Blob | null>} nothing where the browser makes no pictures
 */
export function pictureOf(lines) {
  const height = PICTURE.row * (lines.length + 1);
  const canvas = h("canvas", { width: PICTURE.width, height });
  const pen = canvas.getContext("2d");
  if (!pen) return Promise.resolve(null);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, PICTURE.width, height);
  pen.fillStyle = "#222";
  pen.font = PICTURE.font;
  pen.textAlign = "center";
  for (const [at, line] of lines.entries()) pen.fillText(line, PICTURE.width / 2, PICTURE.row * (at + 1));
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
