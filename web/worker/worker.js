/**
 * The sealed worker: takes pictures, answers with hashes. It is served with a policy of its own that allows no
 * connection of any kind, so what it reads cannot leave it except by `postMessage` to the page.
 */

import "./apart.js";
import { startPython } from "./python.js";
import { videoFormat } from "./sniff.js";

/** @typedef {import("./messages.js").FromWorker} FromWorker */

/** @type {ReturnType<typeof startPython> | undefined} */
let python;

/** @param {FromWorker} message */
const say = (message) => postMessage(message);

/** @param {MessageEvent<import("./messages.js").ToWorker>} event */
onmessage = async ({ data: message }) => {
  try {
    if (message.kind === "start") {
      python = startPython(message.files);
      await python;
      say({ kind: "ready" });
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
  const [{ hashToJson }, data] = await Promise.all([python, bytesOf(file)]);
  if (!data) return say({ kind: "unreadable", id });
  const json = hashToJson(data, (step) => say({ kind: "step", id, step }));
  say({ kind: "result", id, json });
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
