/** What of a decoded frame is hashed: its luma as it is coded, upright. No canvas: those differ and may add noise. */

/** Formats whose first plane is luma of 8 bits. */
const PLANAR = new Set(["I420", "I420A", "I422", "I422A", "I444", "I444A", "NV12"]);
/** The same of more bits, in 16 with the low byte first: how many bits too many. */
const DEEP = /^I4(?:20|22|44)A?P(10|12)$/;
/** How much red and blue weigh in the luma of each colour matrix; green is the rest. */
const WEIGHTS = { bt709: [0.2126, 0.0722], "bt2020-ncl": [0.2627, 0.0593] };
const ANY_OTHER = [0.299, 0.114];

/** @typedef {import("./kernel.js").Kernel} Kernel */
/** @typedef {{ width: number, height: number, channels: 1 | 4, offset: number, stride: number }} Plane in the kernel's room */

/**
 * The PDQ of a frame. Rejects when the browser does not let its pixels be read.
 *
 * @param {Kernel} kernel
 * @param {VideoFrame} frame
 * @param {number} turn how far clockwise the file asks to turn it, in degrees
 * @param {boolean} mirrored whether it asks to swap left and right after that
 */
export async function hashFrame(kernel, frame, turn, mirrored) {
  return pdqOf(kernel, await lumaOf(kernel, frame), turn, mirrored);
}

/**
 * The PDQ of a frame of an animation, from its colours and over white, as a picture's is.
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
 * Red, green, blue and how opaque it is, of every pixel.
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
 * Luma computed from colours, where the browser hands out no other: by the frame's own matrix, not by PDQ's.
 *
 * @param {Kernel} kernel
 * @param {VideoFrame} frame
 * @param {number} width
 * @param {number} height
 * @returns {Promise<{ room: Uint8Array, plane: Plane }>}
 */
async function lumaOfColours(kernel, frame, width, height) {
  const { room, offset, stride } = await coloursOf(kernel, frame);
  const matrix = /** @type {keyof typeof WEIGHTS} */ (String(frame.colorSpace.matrix));
  const [red = 0, blue = 0] = WEIGHTS[matrix] ?? ANY_OTHER;
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
 * The plane turned clockwise by `turn` degrees, then perhaps mirrored, in the same room.
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
