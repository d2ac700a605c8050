// node run_runtime.mjs PYODIDE_FOLDER RUNTIME_FOLDER [PICTURE ...]
// Hashes pictures with the runtime of RUNTIME_FOLDER, as the worker does, without a browser. Prints one JSON object:
// the answer for each picture, and the names of the modules that were imported from the archives.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { unpack } from "../../web/worker/archive.js";

const [folder, runtime, ...pictures] = process.argv.slice(2);
try {
  process.stdout.write(JSON.stringify(await run()), () => process.exit());
} catch (fault) {
  process.stderr.write(`${fault.message}\n`); // not the whole of Pyodide's source, as Node would
  process.exit(1);
}

async function run() {
  const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")).href);
  const packages = fs.readFileSync(path.join(runtime, "packages.zip"));
  const pyodide = await loadPyodide({
    indexURL: folder,
    stdLibURL: path.join(runtime, "python.zip"),
    lockFileContents: fs.readFileSync(path.join(runtime, "pyodide-lock.json"), "utf8"),
    packageBaseUrl: runtime,
    fsInit: async (files, { sitePackages }) =>
      unpack(
        files,
        sitePackages,
        packages.buffer.slice(packages.byteOffset, packages.byteOffset + packages.length),
      ),
  });
  const { hash_to_json: hashToJson } = pyodide.pyimport("takeback.hashing.sealed");
  const answers = {};
  for (const picture of pictures)
    answers[picture] = JSON.parse(hashToJson(new Uint8Array(fs.readFileSync(picture)), () => {}));

  const modules = [];
  const loaded = pyodide.pyimport("sys").modules;
  for (const name of loaded.keys()) {
    const origin = loaded.get(name)?.__spec__?.origin;
    if (typeof origin === "string" && origin.startsWith("/lib/")) modules.push(name);
  }
  return { answers, modules: modules.sort() };
}
