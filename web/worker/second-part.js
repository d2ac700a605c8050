/**
 * CPython and Pillow's libraries in two parts: the functions that a first hash needs, and the others. The build divides
 * them (`py/builder/split/parts.py`); here the second part is brought when one of its functions is called. All second
 * parts are one file: CPython's, in which each library's is a section with the library's name.
 */

/** As the browser has them: `python.js` and `joinLibraries` replace them. */
const { Instance, Module } = WebAssembly;
/** What the first part's exports begin with that are for the second. */
const PREFIX = "split:";
/** What the name of the function begins with that starts a module of Python. */
const STARTS = "PyInit_";
/** A module that passes a call on to JavaScript: a table takes functions of WebAssembly alone. */
// prettier-ignore
const PASSING = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 101, 1, 102, 0, 0, 7, 5, 1, 1, 102, 0, 0,
]);

/** @typedef {import("../messages.d.ts").SecondPart} SecondPart */

/**
 * The second parts, whose file is brought when the first of them is needed.
 *
 * @param {() => BufferSource} bring what it throws goes through Python, which must not run on
 * @returns {(library?: string) => WebAssembly.Module} the second part of a library, or of CPython; throws an `Error` if
 *   there is none
 */
export function secondParts(bring) {
  /** @type {WebAssembly.Module | undefined} */
  let cpython;
  return (library) => {
    cpython ??= new Module(bring());
    if (library === undefined) return cpython;
    const [content] = Module.customSections(cpython, library);
    if (!content) throw new Error(`${library} has no second part`);
    return new Module(content);
  };
}

/**
 * Prepares the first part for the second, which is brought by the first call of a function in it: the caller waits.
 *
 * @param {WebAssembly.Instance} first
 * @param {WebAssembly.Imports | undefined} imports that it was given
 * @param {() => WebAssembly.Module} bring returns the second part
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
    new Instance(bring(), { ...imports, split });
    split.loaded.value = 1;
  };
  const { f } = new Instance(new Module(PASSING), { e: { f: load } }).exports;
  split.functions.set(0, f);
  return { exports };
}

/**
 * Has `new WebAssembly.Instance`, with which Pyodide starts a library, prepare each one that comes in two parts.
 *
 * @param {(library: string) => WebAssembly.Module} bring returns the second part of a library
 */
export function joinLibraries(bring) {
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
    construct: (start, [module, imports]) => {
      const first = new start(module, imports);
      return joinParts(first, imports, () => bring(libraryName(first.exports)));
    },
  });
}

/**
 * The name of a module of Python that is a shared library, by the function that starts it.
 *
 * @param {WebAssembly.Exports} exports
 */
export function libraryName(exports) {
  const start = Object.keys(exports).find((name) => name.startsWith(STARTS)) ?? "";
  return start.slice(STARTS.length);
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
