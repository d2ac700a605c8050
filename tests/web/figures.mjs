/**
 * Figures of the page's code: files and lines of each room (folder), imports between rooms and how many of them run back,
 * lengths of functions. `node tests/web/figures.mjs` prints them, `--json` for a program; another folder than `web` can be
 * named, such as one of an earlier version.
 *
 * A function is whatever has a name or a block of its own: a declaration, a method, an arrow function with braces.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parsers } from "prettier/plugins/babel";

const IMPORT = /(?:\bfrom\s*|(?<!["'])\bimport\s*\(?\s*)["'](\.{1,2}\/[^"']+)["']/g;
const NAMED = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ObjectMethod",
  "ClassMethod",
  "ClassPrivateMethod",
]);

/** @param {string} web the folder */
export function measure(web) {
  const files = readdirSync(web, { recursive: true, encoding: "utf8" }).filter((file) =>
    /\.(js|d\.ts)$/.test(file),
  );
  const modules = files.sort().map((file) => ({ file, text: readFileSync(join(web, file), "utf8") }));
  const arrows = modules.flatMap(({ file, text }) =>
    [...text.matchAll(IMPORT)].map(([, name = ""]) => ({
      from: file,
      to: normalize(join(dirname(file), name)),
    })),
  );
  const functions = modules
    .filter(({ file }) => file.endsWith(".js"))
    .flatMap(({ file, text }) => functionsOf(text).map((found) => ({ file, ...found })));
  return { rooms: roomsOf(modules), arrows, between: between(arrows), functions };
}

/** @param {{ file: string, text: string }[]} modules */
function roomsOf(modules) {
  /** @type {Record<string, { files: number, lines: number }>} */
  const rooms = {};
  for (const { file, text } of modules) {
    const room = (rooms[dirname(file)] ??= { files: 0, lines: 0 });
    room.files += 1;
    room.lines += text.split("\n").length - 1;
  }
  return rooms;
}

/**
 * The pairs of rooms of which the first imports the second.
 *
 * @param {{ from: string, to: string }[]} arrows
 */
function between(arrows) {
  const pairs = arrows
    .map(({ from, to }) => [dirname(from), dirname(to)])
    .filter(([from, to]) => from !== to);
  return [...new Set(pairs.map((pair) => pair.join(" -> ")))].sort();
}

/**
 * The fewest arrows that run upwards, over all orders of the rooms: dynamic programming over the sets of rooms that stand
 * below.
 *
 * @param {string[]} pairs as `from -> to`
 */
export function arrowsBack(pairs) {
  const edges = pairs.map((pair) => pair.split(" -> "));
  const rooms = [...new Set(edges.flat())];
  const reach = rooms.map((room) =>
    edges.reduce((mask, [from, to = ""]) => (from === room ? mask | (1 << rooms.indexOf(to)) : mask), 0),
  );
  const fewest = new Uint16Array(2 ** rooms.length).fill(65535);
  fewest[0] = 0;
  for (let below = 0; below < fewest.length; below += 1)
    for (const [at, imports] of reach.entries()) {
      if (below & (1 << at)) continue;
      const back = countBits(imports & ~below);
      const next = below | (1 << at);
      fewest[next] = Math.min(fewest[next] ?? 0, (fewest[below] ?? 0) + back);
    }
  return fewest.at(-1) ?? 0;
}

/** @param {number} mask */
function countBits(mask) {
  return mask.toString(2).replaceAll("0", "").length;
}

/**
 * @typedef {{ name: string, line: number, lines: number, throws: boolean, says: boolean }} Measured `throws`: there is a
 *   `throw` in it; `says`: the comment above it names what it throws
 */

/**
 * @param {string} text of a module
 * @returns {Measured[]}
 */
function functionsOf(text) {
  /** @type {Measured[]} */
  const found = [];
  /**
   * @param {any} node
   * @param {Measured} [around] the function that it is in
   */
  function visit(node, around) {
    if (Array.isArray(node)) return node.forEach((child) => visit(child, around));
    if (typeof node?.type !== "string") return;
    if (node.type === "ThrowStatement" && around) around.throws = true;
    const block = node.type === "ArrowFunctionExpression" && node.body.type === "BlockStatement";
    if (NAMED.has(node.type) || block) {
      const { start, end } = node.loc;
      const name = node.id?.name ?? node.key?.name ?? node.key?.id?.name ?? "=>";
      const says = /@throws(?:(?!\*\/)[^])*\*\/\s*(export\s+)?$/.test(text.slice(0, node.start));
      around = { name, line: start.line, lines: end.line - start.line + 1, throws: false, says };
      found.push(around);
    }
    for (const [key, child] of Object.entries(node))
      if (key !== "loc" && typeof child === "object") visit(child, around);
  }
  visit(/** @type {any} */ (parsers.babel.parse(text, /** @type {any} */ ({}))).program);
  return found;
}

/** @param {ReturnType<typeof measure>} figures */
function table({ rooms, arrows, between, functions }) {
  const lengths = functions.map(({ lines }) => lines).sort((one, other) => one - other);
  const at = (/** @type {number} */ share) => lengths[Math.floor(share * (lengths.length - 1))];
  const throwing = functions.filter(({ name, throws }) => throws && name !== "=>");
  const [longest] = functions.toSorted((one, other) => other.lines - one.lines);
  return [
    ...Object.entries(rooms).map(
      ([room, { files, lines }]) => `${room.padEnd(20)} ${files} files, ${lines} lines`,
    ),
    `imports              ${arrows.length}; arrows between rooms ${between.length}, of these back ${arrowsBack(between)}`,
    `functions            ${lengths.length}; lines: median ${at(0.5)}, 95 % ${at(0.95)}, most ${at(1)} (${longest?.file} ${longest?.name})`,
    `functions that throw  ${throwing.length}, of which ${throwing.filter(({ says }) => says).length} say what in their comment`,
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = process.argv.slice(2).filter((argument) => argument !== "--json");
  const web = given[0] ?? relative(process.cwd(), fileURLToPath(new URL("../../web", import.meta.url)));
  const figures = measure(web);
  console.log(process.argv.includes("--json") ? JSON.stringify(figures) : table(figures));
}
