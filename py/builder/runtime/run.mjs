// node run.mjs PYODIDE_FOLDER RUNTIME_FOLDER [PICTURE ...]
// Hashes pictures with the runtime of RUNTIME_FOLDER, as the worker does, without a browser. Prints one JSON object:
// the answer for each picture with its phash, and the names of the modules that were imported from the archives, before
// phash and for it.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { unpack } from "../../../web/worker/archive.js";
import { decoder } from "../../../web/worker/stills.js";

const [folder, runtime, ...pictures] = process.argv.slice(2);
try {
  // In the callback, because `exit` would drop what a pipe has not taken yet.
  process.stdout.write(JSON.stringify(await run()), () => process.exit());
} catch (fault) {
  process.stderr.write(`${fault.message}\n`); // Node would print all of Pyodide's minified source
  process.exit(1);
}

async function run() {
  const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")).href);
  const archive = (name) => {
    const data = fs.readFileSync(path.join(runtime, name));
    // Node's buffers may be parts of a larger ArrayBuffer.
    return data.buffer.slice(data.byteOffset, data.byteOffset + data.length);
  };
  let site;
  const pyodide = await loadPyodide({
    indexURL: folder,
    stdLibURL: path.join(runtime, "python.zip"),
    lockFileContents: fs.readFileSync(path.join(runtime, "pyodide-lock.json"), "utf8"),
    packageBaseUrl: runtime,
    fsInit: async (files, { sitePackages }) => unpack(files, (site = sitePackages), archive("packages.zip")),
  });
  const sealed = pyodide.pyimport("takeback.hashing.sealed");
  const hashing = sealed.Hashing();
  const code = (name) => WebAssembly.compile(archive(`${name.toLowerCase()}.wasm`));
  const answers = [];
  for (const picture of pictures) {
    const data = new Uint8Array(fs.readFileSync(picture));
    const name = sealed.decoder_for(data.subarray(0, 4096));
    const decode = name ? await decoder(name, await code(name)) : undefined;
    answers.push(JSON.parse(hashing.hash(data, () => {}, decode)));
    hashing.keep(answers.length - 1);
  }
  const modules = imported(pyodide);
  unpack(pyodide.FS, site, archive("phash.zip"));
  for (const [number, answer] of answers.entries()) {
    const phash = JSON.parse(hashing.phash_to_json(number));
    if (answer.signals) answer.signals.push(...phash);
  }
  const known = new Set(modules);
  return {
    answers: Object.fromEntries(answers.map((answer, number) => [pictures[number], answer])),
    modules,
    phash: imported(pyodide).filter((name) => !known.has(name)),
  };
}

function imported(pyodide) {
  const modules = [];
  const loaded = pyodide.pyimport("sys").modules;
  for (const name of loaded.keys()) {
    const origin = loaded.get(name)?.__spec__?.origin;
    if (typeof origin === "string" && origin.startsWith("/lib/")) modules.push(name);
  }
  return modules.sort();
}
