/**
 * CPython in two parts: the functions that a first hash needs, and the others. The build divides them
 * (`py/builder/split/parts.py`); here the second part is brought when one of its functions is called.
 */

/** What the first part's exports begin with that are for the second. */
const PREFIX = "split:";
/** A module that passes a call on to JavaScript: a table takes functions of WebAssembly alone. */
// prettier-ignore
const PASSING = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 101, 1, 102, 0, 0, 7, 5, 1, 1, 102, 0, 0,
]);

/** @typedef {import("../messages.d.ts").SecondPart} SecondPart */

/**
 * Prepares the first part for the second, which is brought by the first call of a function in it: the caller waits.
 *
 * @param {WebAssembly.Instance} first
 * @param {WebAssembly.Imports} imports that it was given
 * @param {() => BufferSource} bring returns the second part; what it throws goes through Python, which must not run on
 * @returns {WebAssembly.Instance} the first part without the exports that are for the second; `first` if it is whole
 */
export function joinParts(first, imports, bring) {
  /** @type {Record<string, any>} */
  const exports = {};
  /** @type {Record<string, any>} */
  const split = {};
  for (const [name, value] of Object.entries(first.exports)) {
    if (name.startsWith(PREFIX)) split[name.slice(PREFIX.length)] = value;
    else exports[name] = value;
  }
  if (!split.functions) return first;
  const load = () => {
    const second = new WebAssembly.Module(bring());
    new WebAssembly.Instance(second, { ...imports, split });
    split.loaded.value = 1;
  };
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(PASSING), { e: { f: load } }).exports;
  split.functions.set(0, f);
  return { exports };
}

/**
 * Waits until the page has written the second part into shared memory. The thread stands still, so `ask` must have told
 * the page; if the page cannot get it, it terminates the worker.
 *
 * @param {SecondPart} part
 * @param {() => void} ask
 */
export function waitForPart(part, ask) {
  if (part instanceof ArrayBuffer) return part;
  ask();
  Atomics.wait(new Int32Array(part.filled), 0, 0);
  return new Uint8Array(part.bytes).slice(); // WebAssembly compiles nothing from shared memory
}
