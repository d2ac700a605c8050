/**
 * Prepares an MP4 for mediabunny, which refuses some boxes and reads only the first entry of an edit list: hides those
 * boxes and applies the edit list here, by the rule of `py/takeback/hashing/edits.py` (ISO/IEC 14496-12, 8.6.6).
 */

/** Of `moov`: the tables of two million frames need half of it. */
const MAX_INDEX_BYTES = 2 ** 26;
/** Per track: one a second for almost three hours. */
const MAX_EDITS = 10_000;
const MAX_BOXES = 20_000;
/** The name of a box that every reader skips. */
const FREE = Uint8Array.from("free", (letter) => letter.charCodeAt(0));
/** Boxes of a movie that hold nothing about its frames. */
const METADATA_BOXES = new Set(["udta", "meta"]);
/** The size in bytes of a complete `colr` box, by its kind. @type {Record<string, number>} */
const COLR_BYTES = { nclx: 19, nclc: 18 };

/** @typedef {{ start: number, length: number }} Edit in ticks of the track; a negative `start` is a gap, `length` 0 means up to the end */
/** @typedef {{ at: number, frame: number }} Shown `at` in ticks of the presentation; `frame` is the index in the track */
/** @typedef {{ scale: number, edits: Edit[] }} Track `scale` in ticks per second */
/** @typedef {{ name: string, at: number, start: number, end: number }} Box `at` of the box, `start` and `end` of its content */

/**
 * The frames that `edits` show, in order; all frames if there are no edits or they show nothing.
 *
 * @param {ArrayLike<number>} starts in ticks, ascending
 * @param {Edit[]} edits
 * @param {number} most
 * @returns {Shown[]}
 * @throws {RangeError} for more than `most`
 */
export function shown(starts, edits, most) {
  /** @type {Shown[]} */
  const found = [];
  let now = 0;
  for (const { start, length } of edits) {
    const first = start < 0 ? starts.length : before(starts, start);
    const last = length ? before(starts, start + length) : starts.length;
    if (found.length + last - first > most) throw new RangeError("too many frames");
    for (let frame = first; frame < last; frame += 1)
      found.push({ at: now + (starts[frame] ?? 0) - start, frame });
    if (!length) break;
    now += length;
  }
  return found.length ? found : Array.from(starts, (at, frame) => ({ at, frame }));
}

/**
 * How many of the ascending `starts` are less than `limit`.
 *
 * @param {ArrayLike<number>} starts
 * @param {number} limit
 */
function before(starts, limit) {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * An MP4 as mediabunny shall see it, the edit lists of its video tracks by track number, and whether it has sound alone.
 *
 * @param {Blob} file
 * @returns {Promise<{ file: Blob, tracks: Map<number, Track>, soundOnly: boolean }>}
 */
export async function prepared(file) {
  /** @type {Map<number, Track>} */
  const tracks = new Map();
  const index = await indexOf(file);
  if (!index) return { file, tracks, soundOnly: false };
  const view = new DataView(
    await file.slice(index.start, Math.min(index.end, index.start + MAX_INDEX_BYTES)).arrayBuffer(),
  );
  const top = boxes(view, 0, view.byteLength);
  const head = top.find(({ name }) => name === "mvhd");
  const movie = head ? scaleOf(view, head) : 1;
  const kinds = top.filter(({ name }) => name === "trak").map((box) => ({ box, kind: handler(view, box) }));
  const hidden = top.filter(({ name }) => METADATA_BOXES.has(name));
  for (const { box, kind } of kinds) {
    if (kind !== "vide") {
      hidden.push(box);
      continue;
    }
    hidden.push(...within(view, box, "edts"), ...oddities(view, box));
    const [header] = within(view, box, "tkhd");
    const [media] = within(view, box, "mdia", "mdhd");
    if (header && media)
      tracks.set(scaleOf(view, header), {
        scale: scaleOf(view, media),
        edits: editsOf(view, box, scaleOf(view, media) / Math.max(movie, 1)),
      });
  }
  const soundOnly = kinds.some(({ kind }) => kind === "soun") && !kinds.some(({ kind }) => kind === "vide");
  return {
    file: without(
      file,
      hidden.map(({ at }) => index.start + at + 4),
    ),
    tracks,
    soundOnly,
  };
}

/**
 * Where the content of `moov` is; undefined if there is none.
 *
 * @param {Blob} file
 */
async function indexOf(file) {
  for (let at = 0, left = MAX_BOXES; left && at + 8 <= file.size; left -= 1) {
    const view = new DataView(await file.slice(at, at + 16).arrayBuffer());
    const [box] = boxes(view, 0, view.byteLength, file.size - at);
    if (!box) return undefined;
    if (box.name === "moov") return { start: at + box.start, end: at + box.end };
    at += box.end;
  }
  return undefined;
}

/**
 * The boxes between two offsets, up to the first that is broken.
 *
 * @param {DataView} view
 * @param {number} from
 * @param {number} to
 * @param {number} [size] of the whole, if `view` holds only its start
 * @returns {Box[]}
 */
function boxes(view, from, to, size = to) {
  const found = [];
  for (let at = from; at + 8 <= to && found.length < MAX_BOXES;) {
    const short = view.getUint32(at);
    if (short === 1 && at + 16 > to) break;
    const length = short === 1 ? Number(view.getBigUint64(at + 8)) : short || size - at;
    const start = at + (short === 1 ? 16 : 8);
    if (at + length < start) break;
    const end = Math.min(at + length, size);
    found.push({ name: text(view, at + 4), at, start, end });
    at = end;
  }
  return found;
}

/**
 * The boxes at the end of a path below another box.
 *
 * @param {DataView} view
 * @param {Box} box
 * @param {...string} path
 * @returns {Box[]}
 */
function within(view, box, ...path) {
  const [name, ...rest] = path;
  const found = boxes(view, box.start, box.end).filter((child) => child.name === name);
  return rest.length ? found.flatMap((child) => within(view, child, ...rest)) : found;
}

/**
 * @param {DataView} view
 * @param {number} at
 */
function text(view, at) {
  return at + 4 > view.byteLength ? "" : String.fromCharCode(...new Uint8Array(view.buffer, at, 4));
}

/**
 * @param {DataView} view
 * @param {number} at
 */
function number(view, at) {
  return at + 4 > view.byteLength ? 0 : view.getUint32(at);
}

/**
 * @param {DataView} view
 * @param {Box} track
 */
function handler(view, track) {
  const [box] = within(view, track, "mdia", "hdlr");
  return box ? text(view, box.start + 8) : "";
}

/**
 * Ticks per second in an `mvhd` or `mdhd`. In a `tkhd` the track's number is at the same offset.
 *
 * @param {DataView} view
 * @param {Box} box
 */
function scaleOf(view, { start }) {
  return number(view, start + (view.getUint8(start) === 1 ? 20 : 12));
}

/**
 * @param {DataView} view
 * @param {Box} track
 * @param {number} ratio ticks of the track for one tick of the movie
 * @returns {Edit[]}
 */
function editsOf(view, track, ratio) {
  const [list] = within(view, track, "edts", "elst");
  if (!list || list.start + 8 > view.byteLength) return [];
  const wide = view.getUint8(list.start) === 1;
  const size = wide ? 20 : 12;
  const whole = Math.floor((Math.min(list.end, view.byteLength) - list.start - 8) / size);
  const count = Math.min(number(view, list.start + 4), whole, MAX_EDITS);
  return Array.from({ length: count }, (_, entry) => {
    const at = list.start + 8 + size * entry;
    const length = wide ? Number(view.getBigUint64(at)) : view.getUint32(at);
    return { start: wide ? Number(view.getBigInt64(at + 8)) : view.getInt32(at + 4), length: length * ratio };
  });
}

/**
 * The `colr` boxes of a track that are too short, which make mediabunny fail.
 *
 * @param {DataView} view
 * @param {Box} track
 */
function oddities(view, track) {
  const [list] = within(view, track, "mdia", "minf", "stbl", "stsd");
  const entries = list ? boxes(view, list.start + 8, Math.min(list.end, view.byteLength)) : [];
  return entries
    .flatMap((entry) => boxes(view, entry.start + 78, Math.min(entry.end, view.byteLength)))
    .filter(({ name, at, start, end }) => name === "colr" && end - at < (COLR_BYTES[text(view, start)] ?? 0));
}

/**
 * The file with the boxes renamed to `free` whose names are at `places`: readers skip them, and no offset changes.
 *
 * @param {Blob} file
 * @param {number[]} places
 */
function without(file, places) {
  const ascending = [...new Set(places)].sort((a, b) => a - b);
  const parts = ascending.flatMap((place, at) => [file.slice((ascending[at - 1] ?? -4) + 4, place), FREE]);
  return new Blob([...parts, file.slice((ascending.at(-1) ?? -4) + 4)]);
}
