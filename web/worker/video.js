/**
 * The sealed worker for videos: a file comes in, hashes go out. It has the same policy as the worker for pictures, and
 * no Python. `VideoRequest` in `messages.d.ts` says what it can be asked for.
 */

import "./apart.js";
import { animationFrames } from "./animation.js";
import { exactSignals } from "./exact.js";
import { hashFrames, VideoError } from "./frames.js";
import { patchesSignals } from "./patches.js";
import { videoFormat } from "./sniff.js";
import { vpdqSignals } from "./vpdq.js";

/** The part of the progress that stands for the exact hashes; the frames are the rest. */
const EXACT_SHARE = 0.4;
/** The page takes the worker for dead after a minute without a message. */
const ALIVE_MILLISECONDS = 2000;

/** @param {import("../messages.d.ts").FromVideoWorker} message */
const post = (message) => postMessage(message);

setInterval(() => post({ kind: "alive" }), ALIVE_MILLISECONDS);

/** @param {MessageEvent<import("../messages.d.ts").ToVideoWorker>} event */
onmessage = async ({ data: { kind, id, file, orientation } }) => {
  try {
    const answer =
      kind === "animation"
        ? { signals: shownSignals(await animationFrames(file, orientation)) }
        : kind === "exact"
          ? await hashExactly(file)
          : await hash(id, file, kind === "frameless");
    post({ kind: "result", id, json: JSON.stringify(answer) });
  } catch (error) {
    if (error instanceof VideoError)
      post({
        kind: "result",
        id,
        json: JSON.stringify({ error: { code: error.code, text: error.message } }),
      });
    else if (error instanceof DOMException && error.name.startsWith("Not")) post({ kind: "unreadable", id });
    else post({ kind: "crashed", text: error instanceof Error ? error.name : "unknown" });
  }
};

/**
 * Hashes a video. Without frames that can be decoded, the signals are the exact ones.
 *
 * @param {number} id
 * @param {Blob} file
 * @param {boolean} frameless whether to skip the frames
 * @throws {VideoError} if it is no video
 */
async function hash(id, file, frameless) {
  const format = await videoFormat(file);
  if (!format) throw new VideoError("unknown-format", "this is not a video of a kind that can be read");
  let reported = 0;
  const share = (/** @type {number} */ done) => {
    const percent = Math.floor(done * 100);
    if (percent > reported) post({ kind: "share", id, share: (reported = percent) / 100 });
  };
  const { frames, patches, width, height } = frameless
    ? { frames: [], patches: [], width: 0, height: 0 }
    : await hashFrames(file, (done) => share(done * (1 - EXACT_SHARE)));
  const exact = await exactSignals(file, (done) => share(1 - EXACT_SHARE + done * EXACT_SHARE));
  const quality = frames.length ? Math.max(...frames.map((frame) => frame.quality)) : null;
  return {
    kind: "video",
    signals: [...shownSignals({ frames, patches }), ...exact],
    quality,
    width,
    height,
    format,
  };
}

/**
 * The signals of what a video shows.
 *
 * @param {{ frames: import("./vpdq.js").Frame[], patches: string[][] }} found
 */
function shownSignals({ frames, patches }) {
  return [...vpdqSignals(frames), ...patchesSignals(patches)];
}

/**
 * The exact hashes of a picture that cannot be decoded.
 *
 * @param {Blob} file
 */
async function hashExactly(file) {
  const signals = await exactSignals(file, () => {});
  return { signals, quality: null, width: 0, height: 0, format: "" };
}
