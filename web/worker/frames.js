/** The frames of a video that are hashed: mediabunny reads the container, WebCodecs decodes. */
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
import { prepared, shown } from "./edits.js";
import { Kernel } from "./kernel.js";
import { hashFrame } from "./luma.js";
import { samples } from "./vpdq.js";

/** Frames of a video: nine hours at 60 a second. The same as in `py/takeback/hashing/video.py`. */
const MAX_PACKETS = 2_000_000;
/** Pixels of a frame: 8K with room for a codec's edges. */
const MAX_PIXELS = 36_000_000;
/** A jump to a frame further off than this starts at the frame's own key frame instead of decoding all before it. */
const SEEK_SECONDS = 4;
/** Seconds by which the time of a decoded frame may differ from its packet's: decoders count in millionths. */
const SAME = 0.0004;
/** Milliseconds that the decoder may take for one frame: a phone decodes ten seconds of 4K in that time. */
const PATIENCE = 60_000;

/** @typedef {import("./vpdq.js").Frame} Frame */

/** A file that is no video; `code` is one of the package's codes of errors. */
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

/** @typedef {{ frames: Frame[], width: number, height: number }} Found `width` and `height` are upright; 0: unknown */
/** @typedef {import("mediabunny").InputVideoTrack} Track */

/**
 * The hashed frames of a video, as many as this browser can get at: none where it lacks the decoder, or where the file
 * is broken or odd. Rejects with `VideoError` when there are no pictures in it, and when it cannot be read at all.
 *
 * @param {Blob} file
 * @param {(share: number) => void} onShare hears from 0 to 1 how much is done
 * @returns {Promise<Found>}
 */
export async function hashFrames(file, onShare) {
  /** @type {Found} */
  const found = { frames: [], width: 0, height: 0 };
  try {
    await fill(found, file, onShare);
  } catch (error) {
    if (error instanceof VideoError || isUnreadable(error)) throw error;
    // Whatever else mediabunny or a decoder throws: what was found up to here counts, and so does the file.
  }
  return found;
}

/** @param {unknown} error */
function isUnreadable(error) {
  return error instanceof DOMException && error.name === "NotReadableError";
}

/**
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
    if (found.width * found.height > MAX_PIXELS) return;
    const times = await readTimes(track, tracks.get(track.id));
    if (times.starts.length && (await canDecode(track))) await decode(track, times, found, onShare);
  } finally {
    input.dispose();
  }
}

/**
 * The first video track that the file says is on, or else the first.
 *
 * @param {Input} input
 * @param {boolean} soundOnly what is known of the file already
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
 * When each frame starts and which are key frames, in seconds of the track and rising; and what of it is hashed: the
 * `number` of a frame among those that are shown, when that is, and its `start` in the track.
 *
 * @typedef {{ number: number, seconds: number, start: number }} Sample
 * @typedef {{ starts: Float64Array, keys: Float64Array, wanted: Sample[] }} Times
 */

/**
 * @param {Track} track
 * @param {import("./edits.js").Track} [edited] what an MP4 says of it
 * @returns {Promise<Times>}
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
 * Hashes as many of the wanted frames as can be decoded, in the order of the track: an edit may show once more what
 * came before.
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
  try {
    for await (const sample of framesAt(track, starts, keys)) {
      const frame = sample.toVideoFrame();
      const pdq = await hashFrame(kernel, frame, turn, mirrored).finally(() => frame.close());
      hashed.set(starts[hashed.size] ?? 0, pdq);
      onShare(hashed.size / starts.length);
    }
  } catch {
    // Of a video that is cut short or broken further on, what was decoded counts; so does its file.
  }
  for (const { number, seconds, start } of wanted) {
    const pdq = hashed.get(start);
    if (pdq) found.frames.push({ number, seconds, quality: pdq.quality, hash: pdq.hash });
  }
  const [first] = hashed.values();
  if (first) Object.assign(found, { width: first.width, height: first.height });
}

/**
 * For each of the rising times `wanted` the last frame that starts at or before it, to be used before the next is
 * asked for. All frames between are decoded, unless a key frame lies so far ahead that a fresh start there is quicker.
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
      while (ahead && ahead.timestamp < at + SAME) {
        last?.close();
        last = ahead;
        ahead = await next();
      }
      if (!last || (!ahead && last.timestamp < at - SAME)) return; // the file ends before
      yield last;
    }
  } finally {
    last?.close();
    ahead?.close();
    void decoding.return();
  }
}

/**
 * Rejects when a promise takes too long: a decoder that was fed something odd may never answer.
 *
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function inTime(promise) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the decoder takes too long")), PATIENCE);
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}
