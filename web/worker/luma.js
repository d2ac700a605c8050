/** Hashes a decoded frame by its luma, upright. Without a canvas: browsers scale differently, and some add noise. */

/** Pixel formats whose first plane is 8-bit luma. */
const PLANAR = new Set(["I420", "I420A", "I422", "I422A", "I444", "I444A", "NV12"]);
/** The same with 10 or 12 bits in two bytes, low byte first. */
const DEEP = /^I4(?:20|22|44)A?P(10|12)$/;
/** Weights of red and blue in the luma of each colour matrix (ITU-R BT.709, BT.2020); green has the rest. */
const LUMA_WEIGHTS = { bt709: [0.2126, 0.0722], "bt2020-ncl": [0.2627, 0.0593] };
/** ITU-R BT.601. */
const DEFAULT_WEIGHTS = [0.299, 0.114];

/** @typedef {import("./kernel.js").Kernel} Kernel */
/** @typedef {{ width: number, height: number, channels: 1 | 4, offset: number, stride: number }} Plane pixels in the kernel's memory */

/**
 * The PDQ hash of a video frame.
 *
 * @param {Kernel} kernel
 * @param {VideoFrame} frame
 * @param {number} turn degrees clockwise that make it upright
 * @param {boolean} mirrored whether it is mirrored after the turn
 * @throws {DOMException} if the browser does not let the pixels be read
 */
export async function hashFrame(kernel, frame, turn, mirrored) {
  return pdqOf(kernel, await lumaOf(kernel, frame), turn, mirrored);
}

/**
 * The PDQ hash of a frame of an animation: like that of a picture, from its colours over white.
 *
 * @param {Kernel} kernel
 * @param {VideoFrame} frame
 * @param {number} turn
 * @param {boolean} mirrored
 */
export async function hashOverWhite(kernel, frame, turn, mirrored) {
  const { width = 0, height = 0 } = frame.visibleRect ?? {};
  const { room, offset, stride } = await coloursOf(kernel, frame);
  for (let y = 0; y < height; y += 1)
    for (let at = offset + y * stride, end = at + 4 * width; at < end; at += 4) {
      const alpha = room[at + 3] ?? 0;
      if (alpha === 255) continue;
      for (let part = at; part < at + 3; part += 1)
        room[part] = Math.round(((room[part] ?? 0) * alpha + 255 * (255 - alpha)) / 255);
    }
  return pdqOf(kernel, { room, plane: { width, height, channels: 4, offset, stride } }, turn, mirrored);
}

/**
 * @param {Kernel} kernel
 * @param {{ room: Uint8Array, plane: Plane }} stored
 * @param {number} turn
 * @param {boolean} mirrored
 */
function pdqOf(kernel, { room, plane }, turn, mirrored) {
  const upright = turn % 360 || mirrored ? turned(kernel, room, plane, turn, mirrored) : plane;
  const { width, height } = upright;
  return { ...kernel.hash(upright), width, height };
}

/**
 * The RGBA pixels of a frame.
 *
 * @param {Kernel} kernel
 * @param {VideoFrame} frame
 */
async function coloursOf(kernel, frame) {
  /** @type {any} */
  const options = { format: "RGBA" };
  const room = kernel.room(frame.allocationSize(options));
  const [{ offset, stride } = { offset: 0, stride: 0 }] = await frame.copyTo(room, options);
  return { room, offset, stride };
}

/**
 * The 8-bit luma of a frame.
 *
 * @param {Kernel} kernel
 * @param {VideoFrame} frame
 * @returns {Promise<{ room: Uint8Array, plane: Plane }>}
 */
async function lumaOf(kernel, frame) {
  const { width = 0, height = 0 } = frame.visibleRect ?? {};
  const format = String(frame.format);
  const deeper = Number(DEEP.exec(format)?.[1] ?? 8) - 8;
  if (!deeper && !PLANAR.has(format)) return lumaOfColours(kernel, frame, width, height);
  const room = kernel.room(frame.allocationSize());
  const [{ offset, stride } = { offset: 0, stride: 0 }] = await frame.copyTo(room);
  if (deeper)
    for (let y = 0; y < height; y += 1)
      for (let x = 0, at = offset + y * stride; x < width; x += 1) {
        const from = at + 2 * x;
        room[at + x] = ((room[from + 1] ?? 0) << (8 - deeper)) | ((room[from] ?? 0) >> deeper);
      }
  return { room, plane: { width, height, channels: 1, offset, stride } };
}

/**
 * Luma computed from RGB, for formats without a luma plane: by the matrix of the frame, not by that of PDQ.
 *
 * @param {Kernel} kernel
 * @param {VideoFrame} frame
 * @param {number} width
 * @param {number} height
 * @returns {Promise<{ room: Uint8Array, plane: Plane }>}
 */
async function lumaOfColours(kernel, frame, width, height) {
  const { room, offset, stride } = await coloursOf(kernel, frame);
  const matrix = /** @type {keyof typeof LUMA_WEIGHTS} */ (String(frame.colorSpace.matrix));
  const [red = 0, blue = 0] = LUMA_WEIGHTS[matrix] ?? DEFAULT_WEIGHTS;
  for (let y = 0; y < height; y += 1)
    for (let x = 0, at = offset + y * stride; x < width; x += 1) {
      const from = at + 4 * x;
      const r = room[from] ?? 0;
      const g = room[from + 1] ?? 0;
      const b = room[from + 2] ?? 0;
      room[at + x] = Math.round(red * r + (1 - red - blue) * g + blue * b);
    }
  return { room, plane: { width, height, channels: 1, offset, stride } };
}

/**
 * The plane turned clockwise by `turn` degrees and then mirrored if asked, in the same memory.
 *
 * @param {Kernel} kernel
 * @param {Uint8Array} room
 * @param {Plane} plane
 * @param {number} turn
 * @param {boolean} mirrored
 * @returns {Plane}
 */
function turned(kernel, room, { width, height, channels, offset, stride }, turn, mirrored) {
  const stored = room.slice(offset, offset + stride * height);
  const [wide, high] = turn % 180 ? [height, width] : [width, height];
  const upright = kernel.room(wide * high * channels);
  for (let y = 0, to = 0; y < high; y += 1)
    for (let at = 0; at < wide; at += 1) {
      const x = mirrored ? wide - 1 - at : at;
      const [column, row] =
        turn === 90
          ? [y, height - 1 - x]
          : turn === 180
            ? [width - 1 - x, height - 1 - y]
            : turn === 270
              ? [width - 1 - y, x]
              : [x, y];
      for (let part = 0, from = row * stride + column * channels; part < channels; part += 1, to += 1)
        upright[to] = stored[from + part] ?? 0;
    }
  return { width: wide, height: high, channels, offset: 0, stride: wide * channels };
}
