/** Which languages there are, which of them the person's browser asks for, and how one is fetched. */
import { language as english } from "../../words/en.js";

/** @typedef {keyof typeof english.words} Key */
/**
 * @typedef {object} Language
 * @property {string} code BCP 47
 * @property {string} dir `ltr` or `rtl`
 * @property {boolean} reviewed by someone who grew up with it
 * @property {Record<Key, import("./format.js").Message>} words
 */
/** @typedef {{ code: string, address: string, integrity: string }} WordsFile */

/** The language that is always there. @type {Language} */
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
 * The language to speak: the first wish that there is a language for, in its script, if possible of its country.
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
 * A language's words, checked by the browser against the hash that the page was built with.
 *
 * @param {WordsFile} file
 * @returns {Promise<Language>}
 * @throws {Error} when it cannot be had
 */
export async function fetchLanguage({ address, integrity }) {
  const response = await fetch(address, { cache: "no-store", credentials: "omit", integrity });
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.json();
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
