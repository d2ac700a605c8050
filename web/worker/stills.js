/**
 * Decoders for pictures that Pyodide's Pillow cannot read: HEIC by libheif, AVIF by libavif, JPEG XL by libjxl. The page
 * sends their code when the first such picture comes; what they decode stays in this worker.
 */
import createAvif from "@jsquash/avif/codec/dec/avif_dec.js";
import createJxl from "@jsquash/jxl/codec/dec/jxl_dec.js";
import createHeif from "libheif-js/libheif-wasm/libheif.js";

/** Constants of libheif's API: the colour space, the interleaved formats with 8 bits a channel, the one plane. */
const RGB = 1;
const INTERLEAVED = { RGB: 10, RGBA: 11 };
const PLANE = 10;

/**
 * A decoded picture, as `Decoded` of `py/takeback/hashing/decoders.py` has it.
 *
 * @typedef {object} Pixels
 * @property {number} width of the stored pixels
 * @property {number} height
 * @property {"RGB" | "RGBA" | "RGBX"} mode RGBX has a byte to skip
 * @property {(left: number, top: number, right: number, bottom: number) => Uint8Array} cut a rectangle, row by row; a copy, or a view of the pixels
 */
/** @typedef {(file: Uint8Array) => Pixels} Decode throws an `Error` for what it cannot read, a `RangeError` if memory runs out */

/** @type {Record<string, (code: WebAssembly.Module) => Promise<Decode>>} */
const KINDS = {
  HEIC: async (code) => {
    const heif = await started(createHeif, code);
    return (file) => decodeHeic(heif, file);
  },
  AVIF: async (code) => {
    const avif = await started(createAvif, code);
    return (file) => shown(avif.decode(file, 8));
  },
  JXL: async (code) => {
    const jxl = await started(createJxl, code);
    return (file) => shown(jxl.decode(file));
  },
};

/**
 * A decoder for one picture. It has memory of its own, so that a damaged file harms no other and the memory is freed.
 *
 * @param {string} kind `HEIC`, `AVIF` or `JXL`
 * @param {WebAssembly.Module} code
 * @returns {Promise<Decode>}
 * @throws {Error} for another kind
 */
export async function decoder(kind, code) {
  const decode = await KINDS[kind]?.(code);
  if (!decode) throw new Error(`there is no decoder for ${kind}`);
  return (file) => {
    try {
      return decode(file);
    } catch (error) {
      const text = String(error);
      throw /memory|OOM|allocat/i.test(text) ? new RangeError(text) : new Error(text);
    }
  };
}

/**
 * An Emscripten module that runs, started from compiled code: it never looks for a file.
 *
 * @param {(ways: object) => any} create
 * @param {WebAssembly.Module} code
 */
async function started(create, code) {
  const quiet = () => {};
  /**
   * @param {WebAssembly.Imports} imports
   * @param {(instance: WebAssembly.Instance) => void} receive
   */
  const instantiateWasm = (imports, receive) => {
    const instance = new WebAssembly.Instance(code, imports);
    receive(instance);
    return instance.exports;
  };
  return new Promise((resolve, reject) => {
    const ways = { noInitialRun: true, instantiateWasm, print: quiet, printErr: quiet };
    const made = create({
      ...ways,
      onAbort: reject,
      onRuntimeInitialized: () => setTimeout(() => resolve(made)),
    });
  });
}

/**
 * The primary image, turned, mirrored and cropped as the file says.
 *
 * @param {any} heif
 * @param {Uint8Array} file
 * @returns {Pixels}
 * @throws {RangeError} if memory runs out
 * @throws {Error} if it cannot be decoded
 */
function decodeHeic(heif, file) {
  const data = allocate(heif, file.length);
  heif.HEAPU8.set(file, data);
  const context = heif._heif_context_alloc();
  const [error, out] = [allocate(heif, 16), allocate(heif, 8)];
  const got = () => heif.HEAPU32[out >> 2];
  const check = () => {
    const code = heif.HEAP32[error >> 2];
    if (code === 6) throw new RangeError("memory");
    if (code) throw new Error(`libheif: ${code}`);
  };
  heif._heif_context_read_from_memory_without_copy(error, context, data, file.length, 0);
  check();
  heif._heif_context_get_primary_image_handle(error, context, out);
  check();
  const handle = got();
  const mode = heif._heif_image_handle_has_alpha_channel(handle) ? "RGBA" : "RGB";
  heif._heif_decode_image(error, handle, out, RGB, INTERLEAVED[mode], 0);
  check();
  const image = got();
  const [width, height] = [
    heif._heif_image_get_width(image, PLANE),
    heif._heif_image_get_height(image, PLANE),
  ];
  const plane = heif._heif_image_get_plane_readonly2(image, PLANE, out);
  if (!plane) throw new Error("libheif gave no pixels");
  return { width, height, mode, cut: cutter(heif.HEAPU8.subarray(plane), got(), mode.length) };
}

/**
 * @param {any} heif
 * @param {number} size in bytes
 * @returns {number}
 * @throws {RangeError} if memory runs out
 */
function allocate(heif, size) {
  const place = heif._malloc(size);
  if (!place) throw new RangeError("memory");
  return place;
}

/**
 * The pixels of a codec that returns them as `ImageData`.
 *
 * @param {ImageData | null} image
 * @returns {Pixels}
 * @throws {Error} if the codec gave none
 */
function shown(image) {
  if (!image) throw new Error("the picture cannot be decoded");
  const { width, height, data } = image;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { width, height, mode: opaque(bytes) ? "RGBX" : "RGBA", cut: cutter(bytes, 4 * width, 4) };
}

/** @param {Uint8Array} rgba */
function opaque(rgba) {
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] !== 255) return false;
  return true;
}

/**
 * @param {Uint8Array} bytes rows that are `stride` bytes apart
 * @param {number} stride
 * @param {number} size bytes of a pixel
 * @returns {Pixels["cut"]}
 */
function cutter(bytes, stride, size) {
  return (left, top, right, bottom) => {
    const row = (right - left) * size;
    if (row === stride) return bytes.subarray(top * stride, bottom * stride);
    const part = new Uint8Array(row * (bottom - top));
    for (let y = top; y < bottom; y += 1) {
      const from = y * stride + left * size;
      part.set(bytes.subarray(from, from + row), (y - top) * row);
    }
    return part;
  };
}
