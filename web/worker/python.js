/// <reference path="./pyodide.d.ts" />
/**
 * Starts Python from files that the page handed over. Nothing here can reach a network: this script's own response
 * policy is `default-src 'none'`, and `fetch` is a look-up in those files.
 */

import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide";
import { members, unpack } from "./archive.js";

/**
 * A name that no server can have, for files that are looked up and never fetched.
 */
const SEALED = "https://sealed.invalid/";

/**
 * @typedef {import("./messages.js").RuntimeFiles} RuntimeFiles
 * @typedef {import("./stills.js").Decode} Decode
 */
/**
 * `Hashing` of `py/takeback/hashing/sealed.py`, which says what each does.
 *
 * @typedef {object} Hashing
 * @property {(data: Uint8Array, onStep: (step: string) => void, decode?: Decode) => string} hash
 * @property {(id: number) => void} keep
 * @property {(id: number) => string} phash_to_json
 */
/**
 * @typedef {object} Python
 * @property {Hashing} hashing
 * @property {(start: Uint8Array) => string} decoderFor
 * @property {(packages: ArrayBuffer) => void} add puts further packages beside the others
 */

/**
 * Starts Python and imports the hashing code.
 *
 * @param {RuntimeFiles} files
 * @returns {Promise<Python>}
 */
export async function startPython(files) {
  const libraries = compileLibraries(files.packages);
  seal(files.python, files.wasm);
  let site = "";
  const pyodide = await loadPyodide({
    createPyodideModule,
    indexURL: SEALED,
    stdLibURL: `${SEALED}python.zip`,
    lockFileContents: files.lock,
    packageBaseUrl: SEALED,
    fsInit: async (fs, { sitePackages }) => {
      site = sitePackages;
      unpack(fs, site, files.packages);
      handOut(await libraries);
    },
  });
  const sealed = pyodide.pyimport("takeback.hashing.sealed");
  return {
    hashing: sealed.Hashing(),
    decoderFor: sealed.decoder_for,
    add: (packages) => unpack(pyodide.FS, site, packages),
  };
}

/**
 * Replaces the two functions by which Pyodide would load something.
 *
 * @param {ArrayBuffer} python
 * @param {WebAssembly.Module} wasm
 */
function seal(python, wasm) {
  self.fetch = async (request) => {
    if (String(request) === `${SEALED}python.zip`) return new Response(python);
    if (String(request) === `${SEALED}pyodide.asm.wasm`) return new Response();
    throw new TypeError(`the worker is sealed: ${request}`);
  };
  WebAssembly.instantiateStreaming = async (_response, imports) => ({
    module: wasm,
    instance: await WebAssembly.instantiate(wasm, imports ?? {}),
  });
}

/**
 * Compiles the shared libraries of Pillow and ours while CPython is compiled, by their size in bytes.
 *
 * @param {ArrayBuffer} packages
 * @returns {Promise<Map<number, WebAssembly.Module>>}
 */
async function compileLibraries(packages) {
  const found = [...members(packages)].filter(({ name }) => name.endsWith(".so"));
  const compiled = await Promise.all(found.map(({ data }) => WebAssembly.compile(data.slice())));
  return new Map(compiled.map((module, at) => [found[at]?.data.byteLength ?? 0, module]));
}

/**
 * Has `new WebAssembly.Module`, with which Pyodide would compile a library and wait, take the compiled one.
 *
 * @param {Map<number, WebAssembly.Module>} libraries of which no two have the same size: the build sees to that
 */
function handOut(libraries) {
  WebAssembly.Module = new Proxy(WebAssembly.Module, {
    construct: (compile, [data]) => libraries.get(data.byteLength) ?? new compile(data),
  });
}
