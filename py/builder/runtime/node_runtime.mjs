// Starts the runtime of a folder under Node, as the worker starts it in a browser.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { unpack } from "../../../web/worker/archive.js";
import { joinLibraries, joinParts, secondParts } from "../../../web/worker/second-part.js";

export const SECOND_PART = "second-part.wasm";

/**
 * `folder` holds the files of `/runtime` and the `pyodide.asm.mjs` that belongs to them; `pyodideFolder` is the package.
 * `seed` is Python's hash seed, and `onSecondPart` is told when the file with the second parts is asked for.
 */
export async function startRuntime({ pyodideFolder, folder, seed, onSecondPart }) {
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
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (source, imports) => {
    if (!imports?.env) return instantiate(source, imports); // a small module of Pyodide's
    WebAssembly.instantiate = instantiate;
    const { module, instance } = await instantiate(source, imports);
    return { module, instance: joinParts(instance, imports, secondPart) };
  };
  joinLibraries(secondPart);
  let site;
  const pyodide = await loadPyodide({
    createPyodideModule,
    indexURL: folder,
    env: seed === undefined ? {} : { PYTHONHASHSEED: String(seed) },
    stdLibURL: path.join(folder, "python.zip"),
    lockFileContents: fs.readFileSync(path.join(folder, "pyodide-lock.json"), "utf8"),
    packageBaseUrl: folder,
    fsInit: async (files, { sitePackages }) => unpack(files, (site = sitePackages), archive("packages.zip")),
  });
  const sealed = pyodide.pyimport("takeback.hashing.sealed");
  return {
    pyodide,
    archive,
    decoderFor: sealed.decoder_for,
    hashing: sealed.Hashing(),
    addPhash: () => unpack(pyodide.FS, site, archive("phash.zip")),
  };
}
