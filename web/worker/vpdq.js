/**
 * Which frames of a video are hashed, and their text: PROTOCOL.md, "The frames of a video". It must do the same as
 * `py/takeback/hashing/vpdq.py`; `tests/vectors/vpdq.json` tests both.
 *
 * @typedef {{ number: number, quality: number, hash: string, seconds: number }} Frame
 */

const MAX_FRAMES = 256;
/** Set bits in the PDQ hash of a frame with any detail; other hashes are not sent. */
const MIN_ONES = 100;
const MAX_ONES = 156;
/** Bits up to which two frames show the same. */
export const PDQ_MATCH_DISTANCE = 31;
/** Set bits of each hex digit. */
const ONES = [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4];
/** How late a frame may start and still count for a second: times are rounded, and 29.97 frames a second give 1.001. */
export const SLACK_SECONDS = 0.0005;

/**
 * The indexes of the frames to hash. `starts` are ascending times in seconds, the first 0 (rules 1 and 2).
 *
 * @param {ArrayLike<number>} starts
 */
export function samples(starts) {
  const seconds = Math.floor((starts[starts.length - 1] ?? 0) + SLACK_SECONDS) + 1;
  const count = Math.min(seconds, MAX_FRAMES);
  const chosen = new Set();
  for (let i = 0, at = 0; i < count; i += 1) {
    const second = seconds > MAX_FRAMES ? Math.floor((i * seconds) / MAX_FRAMES) : i;
    while (at + 1 < starts.length && (starts[at + 1] ?? 0) <= second + SLACK_SECONDS) at += 1;
    chosen.add(at);
  }
  return /** @type {number[]} */ ([...chosen]);
}

/**
 * The text of the hashed frames, each hash once (rule 4).
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
 * The signal of the hashed frames; none unless there are two different hashes with detail.
 *
 * @param {Frame[]} frames
 */
export function vpdqSignals(frames) {
  const value = vpdqValue(frames.filter(({ hash }) => hasDetail(hash)));
  return value.includes(";") ? [{ type: "vpdq", value }] : [];
}

/**
 * Whether a hash has as many set bits as that of a frame with any detail.
 *
 * @param {string} hash
 */
export function hasDetail(hash) {
  const set = [...hash].reduce((sum, digit) => sum + ones(Number.parseInt(digit, 16)), 0);
  return set >= MIN_ONES && set <= MAX_ONES;
}

/**
 * The number of set bits.
 *
 * @param {number} digit from 0 to 15
 */
export function ones(digit) {
  return ONES[digit] ?? 0;
}

/**
 * Three decimals, halves rounded up.
 *
 * @param {number} seconds
 */
function thousandths(seconds) {
  const whole = String(Math.floor(seconds * 1000 + 0.5)).padStart(4, "0");
  return `${whole.slice(0, -3)}.${whole.slice(-3)}`;
}
