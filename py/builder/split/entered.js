/**
 * The numbers of the functions that were entered, of a module that `instrument.py` has changed.
 *
 * @param {WebAssembly.Exports} exports
 */
export function entered(exports) {
  const numbers = [];
  for (let at = 0; exports[`entered:${at}`]; at += 1) {
    let bits = BigInt.asUintN(64, exports[`entered:${at}`].value);
    for (let bit = 0; bits; bit += 1, bits >>= 1n) if (bits & 1n) numbers.push(64 * at + bit);
  }
  return numbers;
}
