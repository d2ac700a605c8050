/**
 * The program that hashes one picture for takeback-lookup.mjs: it reads the file from standard input, and writes what it
 * found as JSON. sharp decodes, and takeback-kernel.wasm hashes: the same kernel as in Python and in the page.
 *
 * A file may be made to stall a decoder, or to break it. So each has a process of its own, without environment, that
 * ends with the file.
 */
import { readFileSync } from "node:fs";
import sharp from "sharp";

const MAX_PIXELS = 120_000_000; // 360 MB once decoded; of all frames of an animation together, too
/** Decoders of libvips that may be used. All others are switched off, such as that of SVG. */
const LOADERS = ["Jpeg", "Png", "Webp", "Nsgif", "Tiff", "Heif"];
// The names and numbers of py/takeback/hashing/kernel.py, patches.py, animation.py and vpdq.py.
const THUMBNAIL_SIDE = 640;
const DIHEDRALS = ["orig", "rot90", "rot180", "rot270", "flipx", "flipy", "flipp", "flipm"];
const HASH_BYTES = 32;
const RESULT = { quality: 0, hash: 4 + 4 * 256, dihedral: 4 + 4 * 256 + HASH_BYTES, bytes: 1320 };
const MAX_ASKED = 1800;
const ASKED = { hash: 0, spot: 8, turn: 12, bytes: 32 };
const MAX_FRAMES = 256;
const SLACK_SECONDS = 0.0005;
const STRIP_BYTES = 1 << 20;
const PAGE_BYTES = 1 << 16;
const STACK_BYTES = 16 * PAGE_BYTES;
const HEAP = STACK_BYTES + PAGE_BYTES; // behind the kernel's constants, which fill less than a page
const DECODING = /** @type {const} */ ({
  limitInputPixels: MAX_PIXELS,
  sequentialRead: true,
  ignoreIcc: true,
});

/** @typedef {{ width: number, height: number, channels: number, rows: Buffer }} Pixels */
/** @typedef {[hash: string, turn: number, spot: number]} Patch */

/**
 * Pixels of one, three or four bytes (the fourth is to be skipped): upright, over white, without colour profile.
 * @param {Buffer} data
 * @param {import("sharp").SharpOptions} options
 * @param {string | undefined} space the colour space that the file has
 * @returns {Promise<Pixels>}
 */
async function decode(data, options, space) {
  const wanted = space === "cmyk" || space === "b-w" ? space : "srgb";
  const { data: rows, info } = await sharp(data, { ...DECODING, ...options })
    .autoOrient()
    .flatten({ background: "white" })
    .pipelineColourspace(space === "cmyk" ? "cmyk" : "srgb")
    .toColourspace(wanted)
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  if (space === "cmyk") asPillow(rows);
  return { width: info.width, height: info.height, channels: info.channels, rows };
}

/**
 * Converts CMYK in place to red, green, blue and a byte to skip, as Pillow does: without a colour profile.
 * @param {Buffer} rows
 */
function asPillow(rows) {
  for (let at = 0; at < rows.length; at += 4) {
    const light = 255 - rows[at + 3];
    for (let ink = at; ink < at + 3; ink++) rows[ink] = light - Math.round((rows[ink] * light) / 255);
  }
}

/**
 * The frames of an animation of which PDQ is asked for: those shown at its whole seconds, as PROTOCOL.md says.
 * @param {number[]} delays how long each is shown, in milliseconds
 * @returns {{ number: number, seconds: number }[]}
 */
function sampledFrames(delays) {
  let now = 0;
  const starts = delays.map((delay) => (now += delay > 10 ? delay : 100) / 1000);
  starts.unshift(0);
  starts.pop();
  const moments = Math.floor(starts[starts.length - 1] + SLACK_SECONDS) + 1;
  const numbers = Array.from({ length: Math.min(moments, MAX_FRAMES) }, (_, place) => {
    const moment = moments > MAX_FRAMES ? Math.floor((place * moments) / MAX_FRAMES) : place;
    return starts.findLastIndex((start) => start <= moment + SLACK_SECONDS);
  });
  return [...new Set(numbers)].map((number) => ({ number, seconds: starts[number] }));
}

/** The kernel, which is a side module for Pyodide: here it gets a memory of its own, whose first pages are its stack. */
class Kernel {
  /** @type {Record<string, (...numbers: number[]) => any>} */
  #calls;
  #memory = new WebAssembly.Memory({ initial: STACK_BYTES / PAGE_BYTES + 1 });
  #free = HEAP;

  constructor() {
    const module = new WebAssembly.Module(readFileSync(new URL("takeback-kernel.wasm", import.meta.url)));
    const number = (/** @type {number} */ value, mutable = false) =>
      new WebAssembly.Global({ value: "i32", mutable }, value);
    const env = {
      memory: this.#memory,
      __stack_pointer: number(STACK_BYTES, true),
      __memory_base: number(STACK_BYTES),
      __table_base: number(0),
    };
    this.#calls = /** @type {any} */ (new WebAssembly.Instance(module, { env }).exports);
  }

  /**
   * The address of new memory.
   * @param {number} bytes
   */
  #take(bytes) {
    const taken = this.#free;
    this.#free += Math.ceil(bytes / 64) * 64;
    const missing = this.#free - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    return taken;
  }

  /** @param {number} at @param {number} bytes */
  #bytes(at, bytes) {
    return Buffer.from(this.#memory.buffer, at, bytes);
  }

  /**
   * PDQ with its quality and its turned and mirrored forms, and the thumbnail for local hashes.
   * @param {Pixels} pixels
   */
  pdq({ width, height, channels, rows }) {
    this.#free = HEAP;
    const row = width * channels;
    const atOnce = Math.max(1, Math.floor(STRIP_BYTES / row));
    const [state, strip] = [this.#take(this.#calls.pdq_size(width, height)), this.#take(atOnce * row)];
    const result = this.#take(RESULT.bytes);
    this.#calls.pdq_begin(state, width, height, channels);
    this.#calls.pdq_keep_plane(state, THUMBNAIL_SIDE);
    for (let top = 0; top < height; top += atOnce) {
      const count = Math.min(atOnce, height - top);
      this.#bytes(strip, count * row).set(rows.subarray(top * row, (top + count) * row));
      this.#calls.pdq_push(state, strip, count, row);
    }
    this.#calls.pdq_finish(state, result);
    /** @param {number} at */
    const hash = (at) => this.#bytes(result + at, HASH_BYTES).toString("hex");
    const forms = DIHEDRALS.map((name, place) => [name, hash(RESULT.dihedral + place * HASH_BYTES)]);
    const quality = this.#bytes(result + RESULT.quality, 4).readInt32LE();
    return { hash: hash(RESULT.hash), quality, dihedral: Object.fromEntries(forms), state };
  }

  /**
   * Local hashes of the picture whose PDQ was computed last.
   * @param {number} state as `pdq` returned it
   * @returns {Patch[]}
   */
  patches(state) {
    const [plane, size] = [this.#take(THUMBNAIL_SIDE ** 2), this.#take(8)];
    this.#calls.pdq_plane(state, plane, size);
    const [width, height] = [0, 4].map((at) => this.#bytes(size + at, 4).readInt32LE());
    const work = this.#take(this.#calls.patches_size(width, height));
    const asked = this.#take(MAX_ASKED * ASKED.bytes);
    const found = this.#calls.patches_asked(work, plane, width, height, 1, asked);
    return Array.from({ length: found }, (_, place) => {
      const one = this.#bytes(asked + place * ASKED.bytes, ASKED.bytes);
      const hash = one.readBigUInt64LE(ASKED.hash).toString(16).padStart(16, "0");
      return [hash, one.readInt32LE(ASKED.turn), one.readInt32LE(ASKED.spot)];
    });
  }
}

/**
 * The value of an animation's vpdq: PDQ of some of its frames, each hash once.
 * @param {Kernel} kernel
 * @param {Pixels} all all frames, one below the other
 * @param {number[]} delays
 */
function framesOf(kernel, { rows, ...all }, delays) {
  const bytes = rows.length / delays.length;
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const { number, seconds } of sampledFrames(delays)) {
    const frame = {
      ...all,
      height: all.height / delays.length,
      rows: rows.subarray(number * bytes, (number + 1) * bytes),
    };
    const { hash, quality } = kernel.pdq(frame);
    if (!found.has(hash)) found.set(hash, `${number},${quality},${hash},${seconds.toFixed(3)}`);
  }
  return [...found.values()].join(";");
}

/**
 * What is asked about a picture. `partly` says that some of it was not hashed: it is damaged, its frames are too many,
 * or they are those of a PNG.
 * @param {Buffer} data
 */
async function hashed(data) {
  const { space, format, pages = 1, delay = [] } = await sharp(data, DECODING).metadata();
  const kernel = new Kernel();
  let partly = format === "png" && data.includes("acTL"); // of an animated PNG libvips reads one picture
  const pixels = await decode(data, { failOn: "error" }, space).catch(() => {
    partly = true;
    return decode(data, { failOn: "none" }, space); // browsers show it, too
  });
  const { hash, quality, dihedral, state } = kernel.pdq(pixels);
  const found = { pdq: hash, quality, dihedral, patches: kernel.patches(state), frames: "" };
  if (pages > 1 && format !== "tiff") {
    try {
      if (delay.length !== pages) throw new Error("these are not the frames of an animation");
      found.frames = framesOf(kernel, await decode(data, { failOn: "error", pages: -1 }, space), delay);
    } catch {
      partly = true;
    }
  }
  return { ...found, partly };
}

sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({ operation: LOADERS.map((name) => `VipsForeignLoad${name}`) });
sharp.concurrency(1);
sharp.cache(false);
const parts = [];
for await (const part of process.stdin) parts.push(part);
process.stdout.write(JSON.stringify(await hashed(Buffer.concat(parts))));
