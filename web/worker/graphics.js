/**
 * CPython takes the addresses of the functions of OpenGL, and calls none. Pyodide would compile a small module for each of
 * the 274 while it starts.
 */

/**
 * Says that these functions have no address, before the module is instantiated.
 *
 * @param {WebAssembly.Module} cpython
 * @param {WebAssembly.Imports} imports what Pyodide gives it; `GOT.func` holds addresses, -1 where one is still to be made
 */
export function leaveOutGraphics(cpython, imports) {
  const addresses = /** @type {Record<string, WebAssembly.Global>} */ (imports["GOT.func"]);
  for (const { module, name } of WebAssembly.Module.imports(cpython)) {
    const address = module === "GOT.func" && name.startsWith("emscripten_gl") && addresses[name];
    if (address) address.value = 0;
  }
}
