// node run.mjs PYODIDE_FOLDER RUNTIME_FOLDER [PICTURE ...]
// Hashes pictures with the runtime of RUNTIME_FOLDER, as the worker does, without a browser. Prints one JSON object:
// the answer for each picture with its phash; of a runtime in two parts, what asked for the second part
// (`start`, a picture's path or `phash`), if anything; of a whole one, the names of the modules in Python that were
// imported, before phash and for it. Listing these uses functions that hashing does not.
import fs from "node:fs";
import path from "node:path";
import { decoder } from "../../../web/worker/stills.js";
import { SECOND_PART, startRuntime } from "./node_runtime.mjs";

/** By these, which are in CPython itself, it imports all others. */
const IMPORTERS = /^(_frozen_importlib|importlib\._bootstrap)(_external)?$|^zipimport$|^os\.path$/;

const [pyodideFolder, folder, ...pictures] = process.argv.slice(2);
try {
  // In the callback, because `exit` would drop what a pipe has not taken yet.
  process.stdout.write(JSON.stringify(await run()), () => process.exit());
} catch (fault) {
  process.stderr.write(`${fault.message}\n`); // Node would print all of Pyodide's minified source
  process.exit(1);
}

async function run() {
  let doing = "start";
  let asked;
  const onSecondPart = () => (asked = doing);
  const isWhole = !fs.existsSync(path.join(folder, SECOND_PART));
  const runtime = await startRuntime({ pyodideFolder, folder, seed: 0, onSecondPart, isListing: isWhole });
  const { pyodide, archive, decoderFor, hashing } = runtime;
  const code = (name) => WebAssembly.compile(archive(`${name.toLowerCase()}.wasm`));
  const answers = [];
  for (const picture of pictures) {
    doing = picture;
    const data = new Uint8Array(fs.readFileSync(picture));
    const name = decoderFor(data.subarray(0, 4096));
    const decode = name ? await decoder(name, await code(name)) : undefined;
    answers.push(JSON.parse(hashing.hash(data, () => {}, decode)));
    hashing.keep(answers.length - 1);
  }
  const modules = isWhole ? imported(pyodide) : [];
  doing = "phash";
  runtime.addPhash();
  for (const [number, answer] of answers.entries()) {
    const phash = JSON.parse(hashing.phash_to_json(number));
    if (answer.signals) answer.signals.push(...phash);
  }
  const known = new Set(modules);
  return {
    answers: Object.fromEntries(answers.map((answer, number) => [pictures[number], answer])),
    asked,
    modules,
    phash: isWhole ? imported(pyodide).filter((name) => !known.has(name)) : [],
  };
}

function imported(pyodide) {
  const modules = [];
  const loaded = pyodide.pyimport("sys").modules;
  for (const name of loaded.keys()) {
    const origin = loaded.get(name)?.__spec__?.origin;
    const isFrozen = origin === "frozen" && !IMPORTERS.test(name);
    if (isFrozen || (typeof origin === "string" && origin.startsWith("/lib/"))) modules.push(name);
  }
  return modules.sort();
}
