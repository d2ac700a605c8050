/// <reference path="./pyodide.d.ts" />
/**
 * Starts Python from the files that the page sent. Nothing here reaches a network: the worker's policy is
 * `default-src 'none'`, and `fetch` is replaced by a look-up in those files.
 */

import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide";
import { isLibrary, members, unpack } from "./archive.js";
import { freeze } from "./frozen.js";
import { leaveOutGraphics } from "./graphics.js";
import { joinLibraries, joinParts, secondParts } from "./second-part.js";

/** An address that no server can have (RFC 2606), for files that are never fetched. */
const SEALED = "https://sealed.invalid/";
const NOT_FETCHED = ["python.zip", "pyodide.asm.wasm"].map((name) => SEALED + name);

/**
 * @typedef {import("../messages.d.ts").RuntimeFiles} RuntimeFiles
 * @typedef {import("./stills.js").Decode} Decode
 */
/**
 * `Hashing` of `py/takeback/hashing/sealed.py`, where each method is described.
 *
 * @typedef {object} Hashing
 * @property {(data: Uint8Array, onStep: (step: string) => void, decode?: Decode) => string} hash
 * @property {(id: number) => void} keep
 * @property {() => boolean} shrink_next
 * @property {(id: number) => string} phash_to_json
 */
/**
 * @typedef {object} Python
 * @property {Hashing} hashing
 * @property {(start: Uint8Array) => string} decoderFor
 * @property {(packages: ArrayBuffer) => void} add unpacks more packages beside the others
 */

/**
 * Starts Python and imports the hashing code.
 *
 * @param {RuntimeFiles} files
 * @param {() => BufferSource} bringSecondParts is called when CPython or a library needs its own, and may block
 * @returns {Promise<Python>}
 */
export async function startPython(files, bringSecondParts) {
  const libraries = compileLibraries(files.packages);
  const secondPart = secondParts(bringSecondParts);
  /** @type {WebAssembly.Exports} */
  let cpython = {};
  seal(files.wasm, secondPart, (exports) => (cpython = exports));
  const onRuntimeInitialized = () => freeze(cpython, [files.python, files.packages]);
  let site = "";
  const pyodide = await loadPyodide({
    createPyodideModule: (settings) => createPyodideModule(Object.assign(settings, { onRuntimeInitialized })),
    indexURL: SEALED,
    stdLibURL: `${SEALED}python.zip`,
    lockFileContents: files.lock,
    packageBaseUrl: SEALED,
    fsInit: async (fs, { sitePackages }) => {
      site = sitePackages;
      unpack(fs, site, files.packages, isLibrary);
      preferCompiled(await libraries);
      joinLibraries(secondPart);
    },
  });
  // Frozen packages look for their libraries below this folder.
  pyodide.pyimport("sys")._stdlib_dir = site;
  const sealed = pyodide.pyimport("takeback.hashing.sealed");
  return {
    hashing: sealed.Hashing(),
    decoderFor: sealed.decoder_for,
    add: (packages) => unpack(pyodide.FS, site, packages),
  };
}

/**
 * Replaces the two functions with which Pyodide loads files. Any other address is a `TypeError`.
 *
 * @param {WebAssembly.Module} wasm
 * @param {() => WebAssembly.Module} secondPart returns CPython's
 * @param {(exports: WebAssembly.Exports) => void} onInstance
 */
function seal(wasm, secondPart, onInstance) {
  self.fetch = async (request) => {
    // Both files are there already: the library is frozen, the module compiled.
    if (NOT_FETCHED.includes(String(request))) return new Response();
    throw new TypeError(`the worker is sealed: ${request}`);
  };
  WebAssembly.instantiateStreaming = async (_response, imports = {}) => {
    leaveOutGraphics(wasm, imports);
    const first = await WebAssembly.instantiate(wasm, imports);
    onInstance(first.exports);
    return { module: wasm, instance: joinParts(first, imports, secondPart) };
  };
}

/**
 * Compiles the shared libraries of Pillow and Takeback while CPython starts; the keys are their sizes in bytes.
 *
 * @param {ArrayBuffer} packages
 * @returns {Promise<Map<number, WebAssembly.Module>>}
 */
async function compileLibraries(packages) {
  const found = [...members(packages)].filter(({ name }) => isLibrary(name));
  const compiled = await Promise.all(found.map(({ data }) => WebAssembly.compile(data.slice())));
  return new Map(compiled.map((module, at) => [found[at]?.data.byteLength ?? 0, module]));
}

/**
 * Has `new WebAssembly.Module`, with which Pyodide compiles a library synchronously, return the one compiled already.
 *
 * @param {Map<number, WebAssembly.Module>} libraries the build makes sure that no two have the same size
 */
function preferCompiled(libraries) {
  WebAssembly.Module = new Proxy(WebAssembly.Module, {
    construct: (compile, [data]) => libraries.get(data.byteLength) ?? new compile(data),
  });
}
