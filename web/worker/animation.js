/**
 * The frames of an animated AVIF, hashed like those of a video. The browser decodes them if it can, because the build of
 * libavif for the web cannot. The rules are those of `py/takeback/hashing/animation.py`.
 */
import { ChosenFrames } from "./choice.js";
import { inTime } from "./frames.js";
import { Kernel } from "./kernel.js";
import { hashOverWhite } from "./luma.js";
import { samples, SLACK_SECONDS } from "./vpdq.js";

const TYPE = "image/avif";
/** Of all frames together; of a larger animation nothing but the first frame is hashed. */
const MAX_PIXELS = 100_000_000;
/** Browsers show a frame that asks for no longer than this for 100 ms. */
const MIN_FRAME_MILLISECONDS = 10;
const DEFAULT_FRAME_MILLISECONDS = 100;
/** Degrees clockwise of each EXIF orientation; the others are 0. @type {Record<number, number>} */
const TURN_DEGREES = { 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270 };
/** EXIF orientations that are mirrored after the turn. */
const MIRRORED = new Set([2, 4, 5, 7]);

/** @typedef {import("./vpdq.js").Frame} Frame */

/** @type {{ frames: Frame[], patches: string[][] }} */
const NOTHING = { frames: [], patches: [] };

/**
 * The hashed frames, as many as can be decoded, and the local hashes of those that stand for all; none for a still, and in
 * browsers that cannot decode it.
 *
 * @param {Blob} file
 * @param {number} [orientation] the EXIF orientation that makes the frames upright, which not every browser tells
 * @returns {Promise<{ frames: Frame[], patches: string[][] }>}
 */
export async function animationFrames(file, orientation = 1) {
  if (typeof ImageDecoder !== "function" || !(await ImageDecoder.isTypeSupported(TYPE))) return NOTHING;
  const decoder = new ImageDecoder({ type: TYPE, data: await file.arrayBuffer() });
  try {
    await Promise.all([decoder.tracks.ready, decoder.completed]);
    const track = decoder.tracks.selectedTrack;
    return track?.animated ? await hashFrames(decoder, track.frameCount, orientation) : NOTHING;
  } catch {
    return NOTHING; // the browser cannot decode it; the still was hashed before
  } finally {
    decoder.close();
  }
}

/**
 * @param {ImageDecoder} decoder
 * @param {number} count of frames
 * @param {number} orientation
 */
async function hashFrames(decoder, count, orientation) {
  const turn = TURN_DEGREES[orientation] ?? 0;
  const mirrored = MIRRORED.has(orientation);
  const kernel = await Kernel.create();
  const chosen = new ChosenFrames();
  /** @type {Map<number, Frame>} */
  const hashed = new Map();
  /** @type {number[]} */
  const starts = [];
  for (let number = 0, now = 0; number < count; number += 1) {
    const image = await inTime(decoder.decode({ frameIndex: number })).then(
      (answer) => answer.image,
      () => undefined, // the frames before a broken one count
    );
    if (!image) break;
    if ((Math.max(number, 1) + 1) * image.codedWidth * image.codedHeight > MAX_PIXELS) return NOTHING;
    const seconds = now / 1000;
    const duration = (image.duration ?? 0) / 1000;
    now += duration > MIN_FRAME_MILLISECONDS ? duration : DEFAULT_FRAME_MILLISECONDS;
    const shown = Math.ceil(seconds - 2 * SLACK_SECONDS) < now / 1000; // while this frame is shown a second begins, give or take the slack
    if (shown) {
      const { thumbnail, ...pdq } = await hashOverWhite(kernel, image, turn, mirrored);
      hashed.set(number, { number, seconds, quality: pdq.quality, hash: pdq.hash });
      chosen.offer(number, pdq, thumbnail);
    }
    starts.push(seconds);
    image.close();
  }
  const sampled = samples(starts);
  return {
    frames: sampled.flatMap((number) => hashed.get(number) ?? []),
    patches: chosen.inOrder(sampled).map((thumbnail) => kernel.patches(thumbnail)),
  };
}
