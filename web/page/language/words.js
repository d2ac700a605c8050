/** The language of the page, and everything that is said in it. */
import { fill } from "./format.js";
import { ENGLISH, choose, fetchLanguage, listed } from "./languages.js";

/** @typedef {import("./languages.js").Key} Key */
/** @typedef {Record<string, string | number>} Values */

/** The language of the page. @type {import("./languages.js").Language} */
export let spoken = ENGLISH;

const files = typeof document === "undefined" ? [] : listed(document);

/** Every language of the page: its code, and its name in that language. */
export function languages() {
  const codes = [ENGLISH.code, ...files.map(({ code }) => code)];
  const named = codes.map((code) => ({ code, name: nameOf(code) }));
  return named.sort((one, other) => one.name.localeCompare(other.name, spoken.code));
}

/** The code of the page's language that the browser's settings ask for. */
export function wished() {
  return choose(navigator.languages, [ENGLISH.code, ...files.map(({ code }) => code)]);
}

/** How many languages were asked for so far. */
let asked = 0;

/**
 * Changes the language. What is on the screen stays as it is.
 *
 * @param {string} code
 * @returns {Promise<boolean>} false if another language was asked for meanwhile: the later choice counts
 * @throws {Error} if its words cannot be fetched; the language stays as it was
 */
export async function speak(code) {
  const turn = (asked += 1);
  const file = files.find((one) => one.code === code);
  try {
    const language = file ? await fetchLanguage(file) : ENGLISH;
    if (turn === asked) spoken = language;
  } catch (error) {
    if (turn === asked) throw error;
  }
  return turn === asked;
}

/**
 * The text of a key with its values filled in.
 *
 * @param {Key} key
 * @param {Values} [values]
 */
export function say(key, values = {}) {
  return fill(spoken.words[key], values, spoken.code).join("");
}

/** The locale for dates and numbers: the person's own variant of the page's language, if their browser names one. */
function local() {
  const [language] = spoken.code.split("-");
  return navigator.languages.find((wish) => wish.split("-")[0] === language) ?? spoken.code;
}

/** @param {number} fraction from 0 to 1 */
export function sayPercent(fraction) {
  return new Intl.NumberFormat(local(), { style: "percent" }).format(fraction);
}

/** @param {number} bytes */
export function saySize(bytes) {
  const [unit, size] = bytes < 1e6 ? ["kilobyte", bytes / 1e3] : ["megabyte", bytes / 1e6];
  const rounded = Math.max(size, 0.1);
  return new Intl.NumberFormat(local(), { style: "unit", unit, maximumFractionDigits: 1 }).format(rounded);
}

/**
 * Date and time in the person's time zone.
 *
 * @param {string | Date} moment a date, or a time as the registry writes it (RFC 3339, UTC)
 */
export function sayDate(moment) {
  return new Intl.DateTimeFormat(local(), { dateStyle: "long", timeStyle: "short" }).format(new Date(moment));
}

/** @param {Date} moment */
export function sayTime(moment) {
  return new Intl.DateTimeFormat(local(), { timeStyle: "short" }).format(moment);
}

/** @param {string} month as `2026-11` */
export function sayMonth(month) {
  const moment = new Date(`${month}-15T00:00:00Z`);
  return new Intl.DateTimeFormat(local(), { month: "long", year: "numeric" }).format(moment);
}

/** @param {string} code of a country, ISO 3166-1 */
export function sayCountry(code) {
  return new Intl.DisplayNames(spoken.code, { type: "region" }).of(code) ?? code;
}

/** @param {string[]} items */
export function sayList(items) {
  return new Intl.ListFormat(spoken.code).format(items);
}

/** @param {string} code */
function nameOf(code) {
  const name = new Intl.DisplayNames(code, { type: "language" }).of(code) ?? code;
  return name.charAt(0).toLocaleUpperCase(code) + name.slice(1);
}
