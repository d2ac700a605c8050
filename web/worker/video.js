/**
 * The sealed worker for videos: the same policy as the one for pictures, and no Python. The page starts it when the
 * first video comes. A file goes in, hashes come out. Of an animated AVIF it makes those of
 * the frames alone: all others are made of it as a picture. Of a picture whose pixels cannot be had it makes the exact
 * ones; of a video that a worker died of, `frameless` makes those alone.
 *
 * @typedef {"hash" | "frameless" | "animation" | "exact"} Kind
 * @typedef {{ kind: Kind, id: number, file: Blob, orientation?: number }} ToVideoWorker
 * @typedef {{ kind: "share", id: number, share: number }} ShareMessage From 0 to 1: how much of the file is done.
 * @typedef {{ kind: "alive" }} AliveMessage Comes every few seconds, unless the worker is stuck.
 * @typedef {ShareMessage | AliveMessage | import("./messages.js").FromWorker} FromVideoWorker
 */

import "./apart.js";
import { animationFrames } from "./animation.js";
import { exactSignals } from "./exact.js";
import { hashFrames, VideoError } from "./frames.js";
import { videoFormat } from "./sniff.js";
import { vpdqSignals } from "./vpdq.js";

/** Of the whole work, reading the file for its exact hashes; the frames are the rest. */
const EXACT_SHARE = 0.4;
/** Milliseconds between two signs of life. */
const SIGN = 2000;

/** @param {FromVideoWorker} message */
const say = (message) => postMessage(message);

setInterval(() => say({ kind: "alive" }), SIGN);

/** @param {MessageEvent<ToVideoWorker>} event */
onmessage = async ({ data: { kind, id, file, orientation } }) => {
  try {
    const answer =
      kind === "animation"
        ? { signals: vpdqSignals(await animationFrames(file, orientation)) }
        : kind === "exact"
          ? await unseen(file)
          : await hash(id, file, kind === "frameless");
    say({ kind: "result", id, json: JSON.stringify(answer) });
  } catch (error) {
    if (error instanceof VideoError)
      say({ kind: "result", id, json: JSON.stringify({ error: { code: error.code, text: error.message } }) });
    else if (error instanceof DOMException && error.name.startsWith("Not")) say({ kind: "unreadable", id });
    else say({ kind: "crashed", text: error instanceof Error ? error.name : "unknown" });
  }
};

/**
 * The signals of a video. Those of its frames are missing when they cannot be had.
 *
 * @param {number} id
 * @param {Blob} file
 * @param {boolean} frameless whether to leave its frames alone
 */
async function hash(id, file, frameless) {
  const format = await videoFormat(file);
  if (!format) throw new VideoError("unknown-format", "this is not a video of a kind that can be read");
  let told = 0;
  const share = (/** @type {number} */ done) => {
    const percent = Math.floor(done * 100);
    if (percent > told) say({ kind: "share", id, share: (told = percent) / 100 });
  };
  const { frames, width, height } = frameless
    ? { frames: [], width: 0, height: 0 }
    : await hashFrames(file, (done) => share(done * (1 - EXACT_SHARE)));
  const exact = await exactSignals(file, (done) => share(1 - EXACT_SHARE + done * EXACT_SHARE));
  const quality = frames.length ? Math.max(...frames.map((frame) => frame.quality)) : null;
  return { kind: "video", signals: [...vpdqSignals(frames), ...exact], quality, width, height, format };
}

/**
 * What is left of a picture whose pixels cannot be had.
 *
 * @param {Blob} file
 */
async function unseen(file) {
  const signals = await exactSignals(file, () => {});
  return { signals, quality: null, width: 0, height: 0, format: "" };
}
