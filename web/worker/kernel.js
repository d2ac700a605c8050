/**
 * PDQ and local hashes by the compiled kernel (`kernel.c` and `patches.c` in `py/takeback/hashing`), the same module that
 * Python loads, without Python.
 */
import code from "takeback-kernel";

const PAGE_BYTES = 65_536;
/** Offsets in memory: the kernel's constants, above them its stack, from `HEAP` on the pixels and its working memory. */
const DATA = 1024;
const HEAP = 4 * PAGE_BYTES;
/** Offsets and sizes in `struct pdq_result`: quality, 256 coefficients, hash, the hashes of the turned forms, detail. */
const RESULT = {
  quality: 0,
  hash: 4 + 4 * 256,
  hashBytes: 32,
  detail: 4 + 4 * 256 + 32 + 8 * 32,
  size: 4 + 4 * 256 + 32 + 8 * 32 + 4,
};

/** Local hashes of a frame at most. */
const MAX_PATCHES = 16;
const PATCH_DIGITS = 16;
/** Pixels of a thumbnail's longer side at most, as in `py/takeback/hashing/kernel.py`. */
const THUMBNAIL_SIDE_PIXELS = 512;

/** @typedef {{ width: number, height: number, pixels: Uint8Array, across: number, down: number }} Thumbnail luma, rows from the top down */
/** @typedef {{ pdq_size(w: number, h: number): number, pdq_begin(p: number, w: number, h: number, c: number): void, pdq_keep_plane(p: number, side: number): void, pdq_plane(p: number, plane: number, size: number): void, pdq_push(p: number, pixels: number, rows: number, stride: number): void, pdq_finish(p: number, result: number): void, patches_size(w: number, h: number): number, patches_sent(p: number, pixels: number, w: number, h: number, sent: number): number }} Exports */

export class Kernel {
  #memory;
  #exports;

  /**
   * @param {WebAssembly.Memory} memory
   * @param {Exports} exports
   */
  constructor(memory, exports) {
    this.#memory = memory;
    this.#exports = exports;
  }

  static async create() {
    const memory = new WebAssembly.Memory({ initial: HEAP / PAGE_BYTES });
    const fixed = (/** @type {number} */ value) => new WebAssembly.Global({ value: "i32" }, value);
    const env = {
      memory,
      __memory_base: fixed(DATA),
      __table_base: fixed(0),
      __stack_pointer: new WebAssembly.Global({ value: "i32", mutable: true }, HEAP),
      __indirect_function_table: new WebAssembly.Table({ initial: 1, element: "anyfunc" }),
    };
    const { instance } = await WebAssembly.instantiate(code, { env });
    const exports = /** @type {any} */ (instance.exports);
    exports.__wasm_apply_data_relocs?.();
    exports.__wasm_call_ctors?.();
    return new Kernel(memory, /** @type {Exports} */ (exports));
  }

  /**
   * Memory for pixels, valid until the next call of any method. `hash` reads what was written to it.
   *
   * @param {number} bytes
   */
  room(bytes) {
    this.#reach(HEAP + bytes);
    return new Uint8Array(this.#memory.buffer, HEAP, bytes);
  }

  /**
   * PDQ of the pixels that were written into `room`: rows from the top down, `stride` bytes apart. `thumbnail` copies the
   * reduced frame; call it before any other method of the kernel.
   *
   * @param {{ width: number, height: number, channels: 1 | 4, offset: number, stride: number }} layout
   */
  hash({ width, height, channels, offset, stride }) {
    const pixels = HEAP + offset;
    const work = (pixels + stride * height + 63) & ~63;
    const result = work + this.#exports.pdq_size(width, height);
    this.#reach(result + RESULT.size);
    this.#exports.pdq_begin(work, width, height, channels);
    this.#exports.pdq_keep_plane(work, THUMBNAIL_SIDE_PIXELS);
    this.#exports.pdq_push(work, pixels, height, stride);
    this.#exports.pdq_finish(work, result);
    const hash = new Uint8Array(this.#memory.buffer, result + RESULT.hash, RESULT.hashBytes);
    const found = new DataView(this.#memory.buffer, result);
    return {
      hash: [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
      quality: found.getInt32(RESULT.quality, true),
      detail: found.getInt32(RESULT.detail, true),
      thumbnail: () => this.#thumbnail(work, result + RESULT.size, width, height),
    };
  }

  /**
   * The reduced picture, as `PdqStream.thumbnail` in `py/takeback/hashing/kernel.py` returns it.
   *
   * @param {number} work offset of the working memory of a picture of `width` x `height`
   * @param {number} free offset of memory that is not in use
   * @param {number} width
   * @param {number} height
   */
  #thumbnail(work, free, width, height) {
    const size = (free + 3) & ~3;
    const plane = size + 8;
    this.#reach(plane + THUMBNAIL_SIDE_PIXELS ** 2);
    this.#exports.pdq_plane(work, plane, size);
    const [wide = 0, high = 0] = new Int32Array(this.#memory.buffer, size, 2);
    const factor = Math.ceil(Math.max(width, height) / THUMBNAIL_SIDE_PIXELS);
    const pixels = new Uint8Array(this.#memory.buffer, plane, wide * high).slice();
    return { width: wide, height: high, pixels, across: width / factor, down: height / factor };
  }

  /**
   * The local hashes of a thumbnail that a person sends, in hex, as `sent_patches` in `py/takeback/hashing/patches.py`
   * returns them.
   *
   * @param {Thumbnail} thumbnail
   */
  patches({ width, height, pixels }) {
    const sent = HEAP + ((pixels.length + 7) & ~7);
    const work = sent + 8 * MAX_PATCHES;
    this.room(pixels.length).set(pixels);
    this.#reach(work + this.#exports.patches_size(width, height));
    const found = this.#exports.patches_sent(work, HEAP, width, height, sent);
    const hashes = new BigUint64Array(this.#memory.buffer, sent, found);
    return [...hashes].map((hash) => hash.toString(16).padStart(PATCH_DIGITS, "0"));
  }

  /** @param {number} end of what is needed, in bytes */
  #reach(end) {
    const missing = end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
  }
}
