/**
 * The sealed worker for pictures: a file comes in, hashes go out. Its own Content-Security-Policy allows no connection
 * of any kind, so what it reads can leave it only by `postMessage` to the page.
 */

import "./apart.js";
import { startPython } from "./python.js";
import { waitForPart } from "./second-part.js";
import { isSequence, videoFormat } from "./sniff.js";
import { decoder } from "./stills.js";

/** @typedef {import("../messages.d.ts").FromPictureWorker} FromPictureWorker */

/** How much of a file Python needs to tell whether it has a decoder for it. */
const SNIFFED_BYTES = 4096;
const SECOND_PART = "second-part.wasm";

/** @type {ReturnType<typeof startPython> | undefined} */
let python;
/** Files that the page was asked for, by name: what takes the answer. @type {Map<string, (content?: ArrayBuffer) => void>} */
const needed = new Map();
/** The decoders that the page sent, compiled. @type {Map<string, WebAssembly.Module>} */
const decoders = new Map();
/** What was put off is done when no message has come for so long: the next picture comes in a few milliseconds. */
const IDLE_MILLISECONDS = 20;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let idle;
/** The requests whose phash is still to be made. @type {number[]} */
const unfinished = [];
let hasPhash = false;

/** @param {FromPictureWorker} message */
const post = (message) => postMessage(message);

/** @param {MessageEvent<import("../messages.d.ts").ToPictureWorker>} event */
onmessage = async ({ data: message }) => {
  try {
    if (message.kind === "start") {
      const { second } = message.files;
      python = startPython(message.files, () =>
        waitForPart(second, () => post({ kind: "needs", name: SECOND_PART })),
      );
      await python;
      post({ kind: "ready" });
    } else if (message.kind === "later") {
      needed.get(message.name)?.(message.content);
    } else if (message.kind === "phash") {
      (await python)?.add(message.packages);
      hasPhash = true;
      await finish();
    } else {
      clearTimeout(idle);
      await hash(message.id, message.file);
      idle = setTimeout(rest, IDLE_MILLISECONDS);
    }
  } catch (error) {
    crash(error);
  }
};

/** @param {unknown} error */
function crash(error) {
  post({ kind: "crashed", text: error instanceof Error ? error.name : "unknown" });
}

/**
 * Hashes one file. Once this returns nothing holds its bytes, unless they are a JPEG's: Python keeps these until `rest` or
 * `finish`.
 *
 * @param {number} id
 * @param {Blob} file
 * @throws {Error} if `start` did not come first
 */
async function hash(id, file) {
  if (!python) throw new Error("a picture came before the runtime");
  if (await videoFormat(file).catch(() => undefined)) return post({ kind: "video", id });
  const [{ hashing, decoderFor }, data] = await Promise.all([python, bytesOf(file)]);
  if (!data) return post({ kind: "unreadable", id });
  const format = decoderFor(data.subarray(0, SNIFFED_BYTES));
  const code = format ? await codeOf(format) : undefined;
  if (format && !code) return post({ kind: "missing", id });
  const moving = format === "AVIF" && isSequence(data);
  const decode = code && (await decoder(format, code));
  const onStep = (/** @type {string} */ step) =>
    step === "taken" ? release(data) : post({ kind: "step", id, step });
  const json = hashing.hash(data, onStep, decode);
  post({ kind: "result", id, json, moving });
  hashing.keep(id);
  unfinished.push(id);
  if (hasPhash) await finish();
}

/** Decodes again what phash needs of the pictures so far, one after another, while no message comes. */
async function rest() {
  try {
    if ((await python)?.hashing.shrink_next()) idle = setTimeout(rest);
  } catch (error) {
    crash(error);
  }
}

/** Makes the phash of every unfinished picture. */
async function finish() {
  if (!python) return;
  const { hashing } = await python;
  for (const id of unfinished.splice(0)) post({ kind: "rest", id, json: hashing.phash_to_json(id) });
}

/**
 * A compiled decoder, which the page fetches when the first picture needs it; undefined if that fails.
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
    post({ kind: "needs", name });
  });
  const code = content && (await WebAssembly.compile(content));
  if (code) decoders.set(name, code);
  return code;
}

/**
 * The bytes of a file; undefined if the browser cannot read it, because it was moved or is in a cloud out of reach.
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
 * Frees the memory of a file at once, in browsers that can: Python has a copy of its own by now.
 *
 * @param {Uint8Array<ArrayBuffer> & { buffer: { transfer?: (size: number) => void } }} data
 */
function release(data) {
  data.buffer.transfer?.(0);
}
