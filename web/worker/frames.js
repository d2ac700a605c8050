/** The frames of a video that are hashed: mediabunny reads the container, WebCodecs decodes. */
import { BlobSource, EncodedPacketSink, Input, MATROSKA, MP4, QTFF, VideoSampleSink, WEBM } from "mediabunny";
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

/** A file that cannot be hashed; `code` is one of the package's codes of errors. */
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
 * The hashed frames of a video, none when this browser has no decoder for it; `width` and `height` are upright.
 * Rejects with `VideoError` when the file is no video that can be opened.
 *
 * @param {Blob} file
 * @param {(share: number) => void} onShare hears from 0 to 1 how much is done
 */
export async function hashFrames(file, onShare) {
  const input = new Input({ source: new BlobSource(file), formats: [MP4, QTFF, WEBM, MATROSKA] });
  try {
    const tracks = await opened(input.getTracks());
    const track = tracks.length ? await opened(input.getPrimaryVideoTrack()) : null;
    if (!track && tracks.length)
      throw new VideoError("unknown-format", "this file has sound and no pictures");
    if (!track) throw new VideoError("damaged-picture", "the video is cut short or broken inside");
    const size = { width: await track.getCodedWidth(), height: await track.getCodedHeight() };
    if (size.width * size.height > MAX_PIXELS)
      throw new VideoError("picture-too-large", "the frames of this video have too many pixels");
    const times = await opened(readTimes(track));
    const frames =
      times.starts.length && (await canDecode(track)) ? await decoded(track, times, onShare) : [];
    const { width, height } = frames[0] ?? size;
    return { frames, width, height };
  } finally {
    input.dispose();
  }
}

/**
 * What comes of reading the container. Whatever mediabunny throws means that it is broken.
 *
 * @template T
 * @param {Promise<T>} reading
 * @returns {Promise<T>}
 */
async function opened(reading) {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof VideoError || (error instanceof DOMException && error.name === "NotReadableError"))
      throw error;
    throw new VideoError("damaged-picture", "the video is cut short or broken inside");
  }
}

/** @param {import("mediabunny").InputVideoTrack} track */
async function canDecode(track) {
  return typeof VideoDecoder === "function" && (await track.canDecode().catch(() => false));
}

/**
 * When each frame starts, in seconds, in the order in which they are shown, and which of them are key frames.
 *
 * @param {import("mediabunny").InputVideoTrack} track
 */
async function readTimes(track) {
  const starts = [];
  const keys = [];
  const packets = new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true });
  for await (const { timestamp, type } of packets) {
    if (timestamp < 0) continue; // cut off by the file's edit list
    starts.push(timestamp);
    if (type === "key") keys.push(timestamp);
    if (starts.length > MAX_PACKETS)
      throw new VideoError("picture-too-large", "the video has too many frames");
  }
  return { starts: Float64Array.from(starts).sort(), keys: Float64Array.from(keys).sort() };
}

/**
 * As many of the frames to hash as can be decoded, in order.
 *
 * @param {import("mediabunny").InputVideoTrack} track
 * @param {{ starts: Float64Array, keys: Float64Array }} times
 * @param {(share: number) => void} onShare
 */
async function decoded(track, { starts, keys }, onShare) {
  const [kernel, turn, mirrored] = await Promise.all([Kernel.create(), track.getRotation(), track.getFlip()]);
  const first = starts[0] ?? 0;
  const numbers = samples(starts.map((start) => start - first));
  /** @type {(Frame & { width: number, height: number })[]} */
  const frames = [];
  try {
    for await (const sample of framesAt(
      track,
      numbers.map((number) => starts[number] ?? 0),
      keys,
    )) {
      const number = numbers[frames.length] ?? 0;
      const frame = sample.toVideoFrame();
      const pdq = await hashFrame(kernel, frame, turn, mirrored).finally(() => frame.close());
      frames.push({ number, seconds: (starts[number] ?? 0) - first, ...pdq });
      onShare(frames.length / numbers.length);
    }
  } catch {
    // Of a video that is cut short or broken further on, what was decoded counts; so does its file.
  }
  return frames;
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
  let shown;
  let ahead = await next();
  try {
    for (const at of wanted) {
      if (ahead && (keys.findLast((key) => key <= at) ?? 0) - ahead.timestamp > SEEK_SECONDS) {
        shown?.close();
        ahead.close();
        await decoding.return();
        decoding = sink.samples(at);
        shown = undefined;
        ahead = await next();
      }
      while (ahead && ahead.timestamp < at + SAME) {
        shown?.close();
        shown = ahead;
        ahead = await next();
      }
      if (!shown) return;
      yield shown;
    }
  } finally {
    shown?.close();
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
