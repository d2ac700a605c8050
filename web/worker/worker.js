/**
 * The sealed worker: takes pictures, answers with hashes. It is served with a policy of its own that allows no
 * connection of any kind, so what it reads cannot leave it except by `postMessage` to the page.
 */

import "./apart.js";
import { startPython } from "./python.js";
import { isSequence, videoFormat } from "./sniff.js";
import { decoder } from "./stills.js";

/** @typedef {import("./messages.js").FromWorker} FromWorker */

/** Bytes from the start of a file by which Python tells whether it needs a decoder of ours. */
const SNIFFED = 4096;

/** @type {ReturnType<typeof startPython> | undefined} */
let python;
/** What was asked of the page and has not come. @type {Map<string, (content?: ArrayBuffer) => void>} */
const needed = new Map();
/** The decoders that came. @type {Map<string, WebAssembly.Module>} */
const decoders = new Map();
/** The pictures without their phash. @type {number[]} */
const unfinished = [];
let hasPhash = false;

/** @param {FromWorker} message */
const say = (message) => postMessage(message);

/** @param {MessageEvent<import("./messages.js").ToWorker>} event */
onmessage = async ({ data: message }) => {
  try {
    if (message.kind === "start") {
      python = startPython(message.files);
      await python;
      say({ kind: "ready" });
    } else if (message.kind === "later") {
      needed.get(message.name)?.(message.content);
    } else if (message.kind === "phash") {
      (await python)?.add(message.packages);
      hasPhash = true;
      await finish();
    } else {
      await hash(message.id, message.file);
    }
  } catch (error) {
    say({ kind: "crashed", text: error instanceof Error ? error.name : "unknown" });
  }
};

/**
 * Hashes one file. Its bytes are held by nothing once this returns.
 *
 * @param {number} id
 * @param {Blob} file
 */
async function hash(id, file) {
  if (!python) throw new Error("a picture came before the runtime");
  if (await videoFormat(file).catch(() => undefined)) return say({ kind: "video", id });
  const [{ hashing, decoderFor }, data] = await Promise.all([python, bytesOf(file)]);
  if (!data) return say({ kind: "unreadable", id });
  const format = decoderFor(data.subarray(0, SNIFFED));
  const code = format ? await codeOf(format) : undefined;
  if (format && !code) return say({ kind: "missing", id });
  const moving = format === "AVIF" && isSequence(data);
  const decode = code && (await decoder(format, code));
  const onStep = (/** @type {string} */ step) =>
    step === "taken" ? release(data) : say({ kind: "step", id, step });
  const json = hashing.hash(data, onStep, decode);
  say({ kind: "result", id, json, moving });
  hashing.keep(id);
  unfinished.push(id);
  if (hasPhash) await finish();
}

/** Hashes what is left of the pictures so far. */
async function finish() {
  if (!python) return;
  const { hashing } = await python;
  for (const id of unfinished.splice(0)) say({ kind: "rest", id, json: hashing.phash_to_json(id) });
}

/**
 * The compiled code of a decoder, brought by the page when the first picture needs it; nothing if that fails.
 *
 * @param {string} format
 */
async function codeOf(format) {
  const name = `${format.toLowerCase()}.wasm`;
  const known = decoders.get(name);
  if (known) return known;
  /** @type {ArrayBuffer | undefined} */
  const content = await new Promise((resolve) => {
    needed.set(name, resolve);
    say({ kind: "needs", name });
  });
  const code = content && (await WebAssembly.compile(content));
  if (code) decoders.set(name, code);
  return code;
}

/**
 * The bytes of a file, or nothing when the browser cannot read it: it was moved, or lies in a cloud out of reach.
 *
 * @param {Blob} file
 */
async function bytesOf(file) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    return undefined;
  }
}

/**
 * Gives the memory of a file back at once, where the browser can: Python has its own copy by now.
 *
 * @param {Uint8Array<ArrayBuffer> & { buffer: { transfer?: (size: number) => void } }} data
 */
function release(data) {
  data.buffer.transfer?.(0);
}
