/** Makes PINs and idempotency keys. */

/** 30 characters that are not easily mistaken for each other, as in the protocol. */
export const PIN_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ";
export const PIN_LENGTH = 12;
const GROUP_LENGTH = 4;
/** Bytes from here on are thrown away: they would make some characters likelier than others. */
const UNBIASED_LIMIT = 256 - (256 % PIN_ALPHABET.length);

/** @typedef {(bytes: Uint8Array<ArrayBuffer>) => Uint8Array} Fill fills the bytes at random and returns them */

/** @type {Fill} */
const secure = (bytes) => crypto.getRandomValues(bytes);

/**
 * A PIN such as `K7QM-2XRW-9DHF`: 12 characters, each equally likely, 58.9 bits.
 *
 * @param {Fill} [random]
 */
export function makePin(random = secure) {
  let pin = "";
  while (pin.length < PIN_LENGTH) {
    const fair = [...random(new Uint8Array(PIN_LENGTH))].filter((byte) => byte < UNBIASED_LIMIT);
    for (const byte of fair) pin += PIN_ALPHABET.charAt(byte % PIN_ALPHABET.length);
  }
  return groupPin(pin.slice(0, PIN_LENGTH));
}

/**
 * An idempotency key: 32 hex digits.
 *
 * @param {Fill} [random]
 */
export function makeKey(random = secure) {
  return [...random(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} characters the 12 characters without dashes */
export function groupPin(characters) {
  return [0, GROUP_LENGTH, 2 * GROUP_LENGTH].map((at) => characters.slice(at, at + GROUP_LENGTH)).join("-");
}
