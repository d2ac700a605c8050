/** Reads case numbers and PINs as people type them. */
import { PIN_ALPHABET, PIN_LENGTH, groupPin } from "./secrets.js";

const NUMBER_LENGTH = 10;

/**
 * @template {string} Fault
 * @typedef {{ ok: string } | { fault: Fault, count: number }} Read the value in its proper form, or what is wrong; `count` of the characters typed
 */

/**
 * A case number: 10 digits of any script, with any separators.
 *
 * @param {string} typed
 * @returns {Read<"missing" | "length" | "letters">}
 */
export function readNumber(typed) {
  const digits = withoutSeparators(typed).replace(/\p{Nd}/gu, latinDigit);
  if (digits === "") return { fault: "missing", count: 0 };
  if (/[^0-9]/.test(digits)) return { fault: "letters", count: digits.length };
  if (digits.length !== NUMBER_LENGTH) return { fault: "length", count: digits.length };
  return { ok: digits };
}

/**
 * A PIN in its proper form, `K7QM-2XRW-9DHF`.
 *
 * @param {string} typed
 * @returns {Read<"missing" | "length" | "letters">}
 */
export function readPin(typed) {
  const characters = withoutSeparators(typed).toUpperCase();
  if (characters === "") return { fault: "missing", count: 0 };
  if ([...characters].some((one) => !PIN_ALPHABET.includes(one)))
    return { fault: "letters", count: characters.length };
  if (characters.length !== PIN_LENGTH) return { fault: "length", count: characters.length };
  return { ok: groupPin(characters) };
}

/** A PIN as the page writes it, and a case number in groups or in one, wherever they stand in a text. */
const PIN_IN_TEXT = new RegExp(`[${PIN_ALPHABET}]{4}(?:\\p{Pd}[${PIN_ALPHABET}]{4}){2}`, "u");
const NUMBER_IN_TEXT = /(?<!\d)\d{3}\s?\d{3}\s?\d{4}(?!\d)/;

/**
 * The case number and the PIN in a text that holds both, such as a saved receipt; null if either is not there.
 *
 * @param {string} text
 * @returns {{ number: string, pin: string } | null}
 */
export function readReceipt(text) {
  const number = NUMBER_IN_TEXT.exec(text)?.[0];
  const pin = number && PIN_IN_TEXT.exec(text.replace(number, " ").toUpperCase())?.[0];
  return pin ? { number, pin } : null;
}

/**
 * A case number in groups: `482 915 7306`. The spaces do not break.
 *
 * @param {string} number
 */
export function groupNumber(number) {
  return [number.slice(0, 3), number.slice(3, 6), number.slice(6)].join("\u00a0");
}

/** @param {string} typed */
function withoutSeparators(typed) {
  return typed.normalize("NFKC").replace(/[\s\p{Pd}\p{Cf}.,:;#_/−]/gu, "");
}

/**
 * A digit of any script as 0-9. In Unicode the ten digits of a script follow each other, from zero up.
 *
 * @param {string} digit
 */
function latinDigit(digit) {
  let value = 0;
  for (let code = Number(digit.codePointAt(0)); value < 9; value += 1) {
    if (!/\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) break;
  }
  return String(value);
}
