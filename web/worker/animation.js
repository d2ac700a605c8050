/**
 * The frames of an animated AVIF, as those of a video: decoded by the browser where it can, which libavif's build for
 * the web cannot. The rules are those of `py/takeback/hashing/animation.py`.
 */
import { inTime } from "./frames.js";
import { Kernel } from "./kernel.js";
import { hashOverWhite } from "./luma.js";
import { samples, SLACK } from "./vpdq.js";

const TYPE = "image/avif";
/** Of all frames together; an animation with more is hashed by its first frame alone. */
const MAX_PIXELS = 100_000_000;
/** Milliseconds. What says that it is shown for no longer is shown for `INSTEAD` by every browser. */
const SHORTEST = 10;
const INSTEAD = 100;
/** How far clockwise EXIF's orientations turn, in degrees; those left out do not. @type {Record<number, number>} */
const TURNS = { 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270 };
/** Orientations that swap left and right after that. */
const MIRRORED = new Set([2, 4, 5, 7]);

/** @typedef {import("./vpdq.js").Frame} Frame */

/**
 * The frames to hash, as many as can be decoded; none of a file that does not move, or where the browser cannot.
 *
 * @param {Blob} file
 * @param {number} [orientation] what makes its frames upright, in EXIF's numbers: not every browser tells
 * @returns {Promise<Frame[]>}
 */
export async function animationFrames(file, orientation = 1) {
  if (typeof ImageDecoder !== "function" || !(await ImageDecoder.isTypeSupported(TYPE))) return [];
  const decoder = new ImageDecoder({ type: TYPE, data: await file.arrayBuffer() });
  try {
    await Promise.all([decoder.tracks.ready, decoder.completed]);
    const track = decoder.tracks.selectedTrack;
    return track?.animated ? await hashed(decoder, track.frameCount, orientation) : [];
  } catch {
    return []; // the browser finds it broken; its still was hashed all the same
  } finally {
    decoder.close();
  }
}

/**
 * @param {ImageDecoder} decoder
 * @param {number} count of frames
 * @param {number} orientation
 */
async function hashed(decoder, count, orientation) {
  const turn = TURNS[orientation] ?? 0;
  const mirrored = MIRRORED.has(orientation);
  const kernel = await Kernel.create();
  /** @type {Map<number, Frame>} */
  const found = new Map();
  /** @type {number[]} */
  const starts = [];
  for (let number = 0, now = 0; number < count; number += 1) {
    const image = await inTime(decoder.decode({ frameIndex: number })).then(
      (answer) => answer.image,
      () => undefined, // what is broken further on takes nothing from what was ahead of it
    );
    if (!image) break;
    if ((Math.max(number, 1) + 1) * image.codedWidth * image.codedHeight > MAX_PIXELS) return [];
    const seconds = now / 1000;
    const duration = (image.duration ?? 0) / 1000;
    now += duration > SHORTEST ? duration : INSTEAD;
    const shown = Math.ceil(seconds - 2 * SLACK) < now / 1000; // a second begins meanwhile, or nearly
    if (shown)
      found.set(number, { number, seconds, ...(await hashOverWhite(kernel, image, turn, mirrored)) });
    starts.push(seconds);
    image.close();
  }
  return samples(starts).flatMap((number) => found.get(number) ?? []);
}
