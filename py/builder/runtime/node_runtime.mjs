// Starts the runtime of a folder under Node, as the worker starts it in a browser.
import fs from "node:fs";
import { devNull } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { isLibrary, unpack } from "../../../web/worker/archive.js";
import { freeze } from "../../../web/worker/frozen.js";
import { leaveOutGraphics } from "../../../web/worker/graphics.js";
import { joinLibraries, joinParts, secondParts } from "../../../web/worker/second-part.js";

export const SECOND_PART = "second-part.wasm";

/**
 * `folder` holds the files of `/runtime` and the `pyodide.asm.mjs` that belongs to them; `pyodideFolder` is the package.
 * `seed` is Python's hash seed, `onInstance` gets CPython's instance, and `onSecondPart` is told when the file with the
 * second parts is asked for. If `isListing`, Python imports its modules from the archives, and CPython's own frozen ones
 * can be told apart.
 */
export async function startRuntime({
  pyodideFolder,
  folder,
  seed,
  onInstance,
  onSecondPart,
  isListing = false,
}) {
  const load = async (file) => import(pathToFileURL(file).href);
  const { loadPyodide } = await load(path.join(pyodideFolder, "pyodide.mjs"));
  const { default: createPyodideModule } = await load(path.join(folder, "pyodide.asm.mjs"));
  const archive = (name) => {
    const data = fs.readFileSync(path.join(folder, name));
    // Node's buffers may be parts of a larger ArrayBuffer.
    return data.buffer.slice(data.byteOffset, data.byteOffset + data.length);
  };
  const secondPart = secondParts(() => {
    onSecondPart?.();
    return archive(SECOND_PART);
  });
  let exports;
  const onRuntimeInitialized = () =>
    isListing || freeze(exports, [archive("python.zip"), archive("packages.zip")]);
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (source, imports) => {
    if (!imports?.env) return instantiate(source, imports); // a small module of Pyodide's
    WebAssembly.instantiate = instantiate;
    const module = await WebAssembly.compile(source);
    leaveOutGraphics(module, imports);
    const instance = await instantiate(module, imports);
    onInstance?.(instance);
    exports = instance.exports;
    return { module, instance: joinParts(instance, imports, secondPart) };
  };
  joinLibraries(secondPart);
  let site;
  const pyodide = await loadPyodide({
    createPyodideModule: (settings) => createPyodideModule(Object.assign(settings, { onRuntimeInitialized })),
    indexURL: folder,
    env: seed === undefined ? {} : { PYTHONHASHSEED: String(seed) },
    stdLibURL: isListing ? path.join(folder, "python.zip") : devNull,
    lockFileContents: fs.readFileSync(path.join(folder, "pyodide-lock.json"), "utf8"),
    packageBaseUrl: folder,
    fsInit: async (files, { sitePackages }) =>
      unpack(files, (site = sitePackages), archive("packages.zip"), isListing ? undefined : isLibrary),
  });
  pyodide.pyimport("sys")._stdlib_dir = site;
  const sealed = pyodide.pyimport("takeback.hashing.sealed");
  return {
    pyodide,
    archive,
    decoderFor: sealed.decoder_for,
    hashing: sealed.Hashing(),
    addPhash: () => unpack(pyodide.FS, site, archive("phash.zip")),
  };
}
