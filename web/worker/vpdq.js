/**
 * The frames of a video that are hashed, and their text: PROTOCOL.md, "The frames of a video". The same as
 * `py/takeback/hashing/vpdq.py`; both are held to `tests/vectors/vpdq.json`.
 *
 * @typedef {{ number: number, quality: number, hash: string, seconds: number }} Frame
 */

const MAX_FRAMES = 256;
/** Bits that are set in the PDQ of a frame with any detail, at least and at most; others are not sent. */
const LEAST_ONES = 100;
const MOST_ONES = 156;
/** Bits that are set in each hex digit. */
const ONES = [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4];
/** Seconds that a frame may start after its second: clocks of a thousandth round, and 29.97 a second gives 1.001. */
export const SLACK = 0.0005;

/**
 * Which frames are hashed of those that start at the rising times `starts`, the first at 0 (rules 1 and 2).
 *
 * @param {ArrayLike<number>} starts
 */
export function samples(starts) {
  const seconds = Math.floor((starts[starts.length - 1] ?? 0) + SLACK) + 1;
  const count = Math.min(seconds, MAX_FRAMES);
  const chosen = new Set();
  for (let i = 0, at = 0; i < count; i += 1) {
    const second = seconds > MAX_FRAMES ? Math.floor((i * seconds) / MAX_FRAMES) : i;
    while (at + 1 < starts.length && (starts[at + 1] ?? 0) <= second + SLACK) at += 1;
    chosen.add(at);
  }
  return /** @type {number[]} */ ([...chosen]);
}

/**
 * The value of the signal of a video's hashed frames, folded (rule 4).
 *
 * @param {Frame[]} frames
 */
export function vpdqValue(frames) {
  /** @type {Map<string, string>} */
  const first = new Map();
  for (const { number, quality, hash, seconds } of frames)
    if (!first.has(hash)) first.set(hash, `${number},${quality},${hash},${thousandths(seconds)}`);
  return [...first.values()].join(";");
}

/**
 * The signal of a video's hashed frames as it is sent: none of a video without two frames that differ and tell anything.
 *
 * @param {Frame[]} frames
 */
export function vpdqSignals(frames) {
  const value = vpdqValue(frames.filter(({ hash }) => isTelling(hash)));
  return value.includes(";") ? [{ type: "vpdq", value }] : [];
}

/** @param {string} hash */
function isTelling(hash) {
  const ones = [...hash].reduce((sum, digit) => sum + (ONES[Number.parseInt(digit, 16)] ?? 0), 0);
  return ones >= LEAST_ONES && ones <= MOST_ONES;
}

/**
 * With three decimals, halves up.
 *
 * @param {number} seconds
 */
function thousandths(seconds) {
  const whole = String(Math.floor(seconds * 1000 + 0.5)).padStart(4, "0");
  return `${whole.slice(0, -3)}.${whole.slice(-3)}`;
}
