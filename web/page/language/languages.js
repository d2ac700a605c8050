/** Which languages there are, which one the browser asks for, and how its words are fetched. */
import { language as english } from "../../words/en.js";

/** @typedef {keyof typeof english.words} Key */
/**
 * @typedef {object} Language
 * @property {string} code BCP 47
 * @property {string} dir `ltr` or `rtl`
 * @property {boolean} reviewed by a native speaker
 * @property {Record<Key, import("./format.js").Message>} words
 */
/** @typedef {{ code: string, address: string, integrity: string }} WordsFile */

/** A language that has not come after so long is given up. */
const TIMEOUT_MILLISECONDS = 20_000;

/** Part of the page; the others are fetched. @type {Language} */
export const ENGLISH = english;

/**
 * The files that the build wrote into the page: `<meta name="words-file" content="CODE ADDRESS INTEGRITY">`.
 *
 * @param {Document} page
 * @returns {WordsFile[]}
 */
export function listed(page) {
  return [...page.querySelectorAll('meta[name="words-file"]')].map((element) => {
    const [code = "", address = "", integrity = ""] = (element.getAttribute("content") ?? "").split(" ");
    return { code, address, integrity };
  });
}

/**
 * The code of the language to use: for the first wish whose language and script are there, if possible of its region.
 *
 * @param {readonly string[]} wishes as in `navigator.languages`
 * @param {string[]} codes of the languages that there are
 */
export function choose(wishes, codes) {
  const there = codes.map((code) => ({ code, ...parts(code) }));
  for (const wish of wishes.map(parts)) {
    const near = there.filter((one) => one.language === wish.language && one.script === wish.script);
    const best = near.find((one) => one.region === wish.region) ?? near[0];
    if (best) return best.code;
  }
  return ENGLISH.code;
}

/**
 * A language's words. The browser checks them against the hash that the build wrote into the page.
 *
 * @param {WordsFile} file
 * @returns {Promise<Language>}
 * @throws {Error} if they cannot be fetched, or the hash differs
 */
export async function fetchLanguage({ address, integrity }) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MILLISECONDS);
  try {
    const way = /** @type {const} */ ({ cache: "no-store", credentials: "omit" });
    const response = await fetch(address, { ...way, integrity, signal: stop.signal });
    if (!response.ok) throw new Error(`${address}: ${response.status}`);
    return await response.json();
  } finally {
    clearTimeout(timer);
  }
}

/** @param {string} code */
function parts(code) {
  try {
    const { language, script, region } = new Intl.Locale(code).maximize();
    return { language, script, region };
  } catch {
    return { language: "", script: "", region: "" }; // a browser may be set to anything
  }
}
