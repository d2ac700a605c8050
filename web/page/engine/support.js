/** Whether the browser has what the hashing kernel needs. */

/** A module with one SIMD instruction, which the hashing kernel needs: to ask whether the browser has them. */
// prettier-ignore
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** Whether its WebAssembly has SIMD instructions. */
export function hasSimd() {
  return globalThis.WebAssembly?.validate(SIMD) ?? false;
}
