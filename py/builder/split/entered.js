import { libraryName } from "../../../web/worker/second-part.js";

/**
 * From now on, notes CPython and each library that `instrument.py` has changed when it is started.
 *
 * @returns {() => { functions: number[], libraries: Record<string, number[]> }} the numbers of the functions that were
 *   entered so far: those of CPython, and those of each library by its name
 */
export function noteEntered() {
  let cpython = {};
  const libraries = [];
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...given) => {
    const made = await instantiate(...given);
    const { exports } = made.instance ?? made;
    if (notes(exports)) cpython = exports;
    return made;
  };
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
    construct: (start, given) => {
      const instance = new start(...given);
      if (notes(instance.exports)) libraries.push(instance.exports);
      return instance;
    },
  });
  return () => ({
    functions: entered(cpython),
    libraries: Object.fromEntries(libraries.map((exports) => [libraryName(exports), entered(exports)])),
  });
}

/** @param {WebAssembly.Exports} exports */
const notes = (exports) => "entered:0" in exports;

/** @param {WebAssembly.Exports} exports */
function entered(exports) {
  const numbers = [];
  for (let at = 0; exports[`entered:${at}`]; at += 1) {
    let bits = BigInt.asUintN(64, exports[`entered:${at}`].value);
    for (let bit = 0; bits; bit += 1, bits >>= 1n) if (bits & 1n) numbers.push(64 * at + bit);
  }
  return numbers;
}
