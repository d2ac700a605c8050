// node profile.mjs PYODIDE_FOLDER RUNTIME_FOLDER SEED [PICTURE ...]
// Hashes pictures with a runtime whose CPython and libraries note which functions are entered, with Python's hash seed
// SEED. Prints their numbers, as JSON.
import fs from "node:fs";
import { decoder } from "../../../web/worker/stills.js";
import { startRuntime } from "../runtime/node_runtime.mjs";
import { noteEntered } from "./entered.js";

const [pyodideFolder, folder, seed, ...pictures] = process.argv.slice(2);
try {
  process.stdout.write(JSON.stringify(await profile()), () => process.exit());
} catch (fault) {
  process.stderr.write(`${fault.message}\n`);
  process.exit(1);
}

async function profile() {
  const entered = noteEntered();
  const { archive, decoderFor, hashing, addPhash } = await startRuntime({ pyodideFolder, folder, seed });
  const decoders = new Map();
  const code = async (name) => {
    if (!decoders.has(name))
      decoders.set(name, await WebAssembly.compile(archive(`${name.toLowerCase()}.wasm`)));
    return decoders.get(name);
  };
  for (const [number, picture] of pictures.entries()) {
    const data = new Uint8Array(fs.readFileSync(picture));
    const name = decoderFor(data.subarray(0, 4096));
    hashing.hash(data, () => {}, name ? await decoder(name, await code(name)) : undefined);
    hashing.keep(number);
  }
  addPhash();
  for (const number of pictures.keys()) hashing.phash_to_json(number);
  return entered();
}
