/** Decodes and hashes the frames of a video: mediabunny reads the container, WebCodecs decodes. */
import {
  BlobSource,
  EncodedPacketSink,
  Input,
  MATROSKA,
  MP4,
  MPEG_TS,
  QTFF,
  VideoSampleSink,
  WEBM,
} from "mediabunny";
import { ChosenFrames } from "./choice.js";
import { prepared, shown } from "./edits.js";
import { Kernel } from "./kernel.js";
import { hashFrame } from "./luma.js";
import { samples } from "./vpdq.js";

/** Frames of a video: nine hours at 60 a second. The same as in `py/takeback/hashing/video.py`. */
const MAX_PACKETS = 2_000_000;
/** 8K, with room for the padding of codecs. */
const MAX_FRAME_PIXELS = 36_000_000;
/** A key frame further ahead than this is sought; the frames up to a nearer one are decoded. */
const SEEK_SECONDS = 4;
/** A decoded frame's time may differ from its packet's by this: decoders round to microseconds. */
const TIME_TOLERANCE_SECONDS = 0.0004;
/** For one frame: a phone decodes ten seconds of 4K in this time. */
const DECODE_TIMEOUT_MILLISECONDS = 60_000;

/** @typedef {import("./vpdq.js").Frame} Frame */

/** The file is no video. `code` is an error code of `py/takeback/errors.py`. */
export class VideoError extends Error {
  /**
   * @param {string} code
   * @param {string} text
   */
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

/**
 * `width` and `height` are those of the upright frame, 0 if unknown; `patches` are the local hashes of each frame that
 * stands for the video.
 *
 * @typedef {{ frames: Frame[], patches: string[][], width: number, height: number }} Found
 */
/** @typedef {import("mediabunny").InputVideoTrack} Track */

/**
 * The hashed frames of a video, as many as this browser can decode; none if it lacks the codec or the file is broken.
 *
 * @param {Blob} file
 * @param {(share: number) => void} onShare gets the progress, from 0 to 1
 * @returns {Promise<Found>}
 * @throws {VideoError} if the file has sound and no pictures
 * @throws {DOMException} if the browser cannot read the file
 */
export async function hashFrames(file, onShare) {
  /** @type {Found} */
  const found = { frames: [], patches: [], width: 0, height: 0 };
  try {
    await fill(found, file, onShare);
  } catch (error) {
    if (error instanceof VideoError || isUnreadable(error)) throw error;
    // Whatever mediabunny or a decoder throws, the frames up to here count, and the exact hashes are still made.
  }
  return found;
}

/** @param {unknown} error */
function isUnreadable(error) {
  return error instanceof DOMException && error.name === "NotReadableError";
}

/**
 * Fills `found` as far as the file can be decoded.
 *
 * @param {Found} found
 * @param {Blob} file
 * @param {(share: number) => void} onShare
 */
async function fill(found, file, onShare) {
  const { file: plain, tracks, soundOnly } = await prepared(file);
  const input = new Input({ source: new BlobSource(plain), formats: [MP4, QTFF, WEBM, MATROSKA, MPEG_TS] });
  try {
    const track = await mainTrack(input, soundOnly);
    if (!track) return;
    found.width = await track.getCodedWidth();
    found.height = await track.getCodedHeight();
    if (found.width * found.height > MAX_FRAME_PIXELS) return;
    const times = await readTimes(track, tracks.get(track.id));
    if (times.starts.length && (await canDecode(track))) await decode(track, times, found, onShare);
  } finally {
    input.dispose();
  }
}

/**
 * The first video track that the file marks as enabled, or else the first one.
 *
 * @param {Input} input
 * @param {boolean} soundOnly whether its index says so
 * @throws {VideoError} if there is sound and no video
 */
async function mainTrack(input, soundOnly) {
  const tracks = await input.getVideoTracks();
  if (!tracks.length && (soundOnly || (await input.getTracks()).length))
    throw new VideoError("unknown-format", "this file has sound and no pictures");
  for (const track of tracks) if ((await track.getDisposition()).default) return track;
  return tracks[0];
}

/** @param {Track} track */
async function canDecode(track) {
  return typeof VideoDecoder === "function" && (await track.canDecode().catch(() => false));
}

/**
 * The start times of all frames and of the key frames, in seconds of the track, ascending; and the frames to hash:
 * `number` counts the frames that are shown, `seconds` is when one is shown, `start` its time in the track.
 *
 * @typedef {{ number: number, seconds: number, start: number }} Sample
 * @typedef {{ starts: Float64Array, keys: Float64Array, wanted: Sample[] }} Times
 */

/**
 * @param {Track} track
 * @param {import("./edits.js").Track} [edited] its edit list, in an MP4
 * @returns {Promise<Times>}
 * @throws {RangeError} for more than `MAX_PACKETS` frames
 */
async function readTimes(track, edited) {
  const found = [];
  const keys = [];
  const packets = new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true });
  for await (const { timestamp, type } of packets) {
    found.push(timestamp);
    if (type === "key") keys.push(timestamp);
    if (found.length > MAX_PACKETS) throw new RangeError("too many frames");
  }
  const starts = Float64Array.from(found).sort();
  const { scale, edits } = edited ?? { scale: 1, edits: [] };
  const ticks = edited ? starts.map((start) => Math.round(start * scale)) : starts;
  const seen = starts.length ? shown(ticks, edits, MAX_PACKETS) : [];
  const seconds = seen.map(({ at }) => (at - (seen[0]?.at ?? 0)) / scale);
  const wanted = (seen.length ? samples(seconds) : []).map((number) => ({
    number,
    seconds: seconds[number] ?? 0,
    start: starts[seen[number]?.frame ?? 0] ?? 0,
  }));
  return { starts, keys: Float64Array.from(keys).sort(), wanted };
}

/**
 * Hashes as many of the wanted frames as can be decoded, in the order of the track. An edit list may show a frame more
 * than once, or later frames first.
 *
 * @param {Track} track
 * @param {Times} times
 * @param {Found} found
 * @param {(share: number) => void} onShare
 */
async function decode(track, { keys, wanted }, found, onShare) {
  const [kernel, turn, mirrored] = await Promise.all([Kernel.create(), track.getRotation(), track.getFlip()]);
  const starts = [...new Set(wanted.map(({ start }) => start))].sort((a, b) => a - b);
  /** @type {Map<number, { hash: string, quality: number, width: number, height: number }>} */
  const hashed = new Map();
  const chosen = new ChosenFrames();
  try {
    for await (const sample of framesAt(track, starts, keys)) {
      const frame = sample.toVideoFrame();
      const { thumbnail, ...pdq } = await hashFrame(kernel, frame, turn, mirrored).finally(() =>
        frame.close(),
      );
      const start = starts[hashed.size] ?? 0;
      hashed.set(start, pdq);
      chosen.offer(start, pdq, thumbnail);
      onShare(hashed.size / starts.length);
    }
  } catch {
    // The file is cut short or broken further on: the frames before that count.
  }
  for (const { number, seconds, start } of wanted) {
    const pdq = hashed.get(start);
    if (pdq) found.frames.push({ number, seconds, quality: pdq.quality, hash: pdq.hash });
  }
  const shownStarts = wanted.map(({ start }) => start);
  found.patches = chosen.inOrder(shownStarts).map((thumbnail) => kernel.patches(thumbnail));
  const [first] = hashed.values();
  if (first) Object.assign(found, { width: first.width, height: first.height });
}

/**
 * For each of the ascending times `wanted`, the last frame that starts at or before it. A frame is closed when the next
 * one is asked for. Frames in between are decoded, unless a key frame is so far ahead that seeking is quicker.
 *
 * @param {import("mediabunny").InputVideoTrack} track
 * @param {number[]} wanted
 * @param {Float64Array} keys
 */
async function* framesAt(track, wanted, keys) {
  const sink = new VideoSampleSink(track);
  let decoding = sink.samples(wanted[0]);
  const next = async () => (await inTime(decoding.next())).value ?? undefined;
  /** @type {import("mediabunny").VideoSample | undefined} */
  let last;
  let ahead = await next();
  try {
    for (const at of wanted) {
      if (ahead && (keys.findLast((key) => key <= at) ?? 0) - ahead.timestamp > SEEK_SECONDS) {
        last?.close();
        ahead.close();
        await decoding.return();
        decoding = sink.samples(at);
        last = undefined;
        ahead = await next();
      }
      while (ahead && ahead.timestamp < at + TIME_TOLERANCE_SECONDS) {
        last?.close();
        last = ahead;
        ahead = await next();
      }
      if (!last || (!ahead && last.timestamp < at - TIME_TOLERANCE_SECONDS)) return; // the file ends before `at`
      yield last;
    }
  } finally {
    last?.close();
    ahead?.close();
    void decoding.return();
  }
}

/**
 * Adds a time limit: some files make a decoder hang.
 *
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 * @throws {Error} when the time is over
 */
export async function inTime(promise) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the decoder takes too long")), DECODE_TIMEOUT_MILLISECONDS);
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}
