/** Reads what people type: case numbers and PINs in any shape. */
import { PIN_ALPHABET, PIN_LENGTH, groupPin } from "./secrets.js";

const NUMBER_LENGTH = 10;

/**
 * @template {string} Fault
 * @typedef {{ ok: string } | { fault: Fault, count: number }} Read what was meant, or what is wrong with it
 */

/**
 * A case number: 10 digits, whatever stands between them.
 *
 * @param {string} typed
 * @returns {Read<"missing" | "length" | "letters">}
 */
export function readNumber(typed) {
  const digits = bare(typed).replace(/\p{Nd}/gu, latinDigit);
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
  const characters = bare(typed).toUpperCase();
  if (characters === "") return { fault: "missing", count: 0 };
  if ([...characters].some((one) => !PIN_ALPHABET.includes(one)))
    return { fault: "letters", count: characters.length };
  if (characters.length !== PIN_LENGTH) return { fault: "length", count: characters.length };
  return { ok: groupPin(characters) };
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
function bare(typed) {
  return typed.normalize("NFKC").replace(/[\s\p{Pd}\p{Cf}.,:;#_/−]/gu, "");
}

/**
 * The same digit as 0-9. Unicode keeps the ten digits of a script together, from zero up.
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
