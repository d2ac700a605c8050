/** Tells videos from pictures by their first bytes; the same as `video_format` of `py/takeback/hashing/video.py`. */

/** Bytes from the start of a file that tell what it is. */
const SNIFFED = 4096;
/** All brands of pictures and of their sequences; the same as in `py/takeback/hashing/boxes.py`. */
// prettier-ignore
export const STILLS = new Set([
  "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "heif", "MiHA", "MiHB", "MiHE", "avif", "avis", "avio",
  "MA1A", "MA1B", "mif1", "mif2", "mif3", "msf1", "miaf",
]);
/** What stands behind the brands of a video, if nothing that is skipped does. */
const MOVING = new Set(["moov", "mdat", "moof", "styp", "sidx"]);
const SKIPPED = new Set(["ftyp", "etyp", "free", "skip", "wide", "uuid"]);
/** What a QuickTime file without a brand begins with. */
const OLD_ATOMS = new Set(["moov", "mdat", "wide", "free", "skip", "pnot"]);
/** The brand of AVIF that moves. */
const SEQUENCE = "avis";
/** What the other containers begin with. Matroska counts as WEBM. @type {Record<string, string>} */
const WHOLE_STARTS = {
  "\x1a\x45\xdf\xa3": "WEBM",
  "FLV\x01": "FLV",
  "\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMV",
  "\0\0\x01\xba": "MPEG",
};
/** Where the first packet of an MPEG transport stream begins and how long each is: broadcast's, and a camcorder's. */
const PACKETS = [
  [0, 188],
  [4, 192],
];
/** The first letter of such a packet. */
const SYNC = "G";

/**
 * The container; nothing for what is no video. Rejects when the browser cannot read the file.
 *
 * @param {Blob} file
 */
export async function videoFormat(file) {
  const start = text(new Uint8Array(await file.slice(0, SNIFFED).arrayBuffer()));
  for (const [begin, kind] of Object.entries(WHOLE_STARTS)) if (start.startsWith(begin)) return kind;
  if (start.startsWith("RIFF") && start.slice(8, 12) === "AVI ") return "AVI";
  if (
    PACKETS.some(([at = 0, length = 0]) => [0, 1, 2].every((packet) => start[at + packet * length] === SYNC))
  )
    return "TS";
  const atom = start.slice(4, 8);
  const brand = start.slice(8, 12);
  if (atom === "ftyp" && brand.length === 4 && !isPicture(start)) return brand === "qt  " ? "MOV" : "MP4";
  return OLD_ATOMS.has(atom) ? "MOV" : undefined;
}

/**
 * Whether an AVIF says that it moves.
 *
 * @param {Uint8Array} start
 */
export function isSequence(start) {
  return brandsOf(text(start.subarray(0, SNIFFED))).includes(SEQUENCE);
}

/**
 * Whether a file's brands are a picture's: its first, or any where no video follows. `boxes.kind_of` says the same.
 *
 * @param {string} start
 */
function isPicture(start) {
  const brands = brandsOf(start);
  return (
    STILLS.has(brands[0] ?? "") || (brands.some((brand) => STILLS.has(brand)) && !MOVING.has(next(start)))
  );
}

/**
 * @param {string} start
 * @returns {string[]} nothing of a file that names none
 */
function brandsOf(start) {
  if (start.slice(4, 8) !== "ftyp") return [];
  const brands = [start.slice(8, 12)];
  for (let at = 16; at + 4 <= Math.min(size(start, 0), start.length); at += 4)
    brands.push(start.slice(at, at + 4));
  return brands;
}

/**
 * The name of the first box that is not skipped.
 *
 * @param {string} start
 */
function next(start) {
  for (let at = 0; at + 8 <= start.length; at += size(start, at)) {
    const name = start.slice(at + 4, at + 8);
    if (!SKIPPED.has(name)) return name;
    if (size(start, at) < 8) break;
  }
  return "";
}

/**
 * How long the box at `at` is.
 *
 * @param {string} start
 * @param {number} at
 */
function size(start, at) {
  return [0, 1, 2, 3].reduce((sum, byte) => sum * 256 + start.charCodeAt(at + byte), 0);
}

/** @param {Uint8Array} bytes */
function text(bytes) {
  return String.fromCharCode(...bytes);
}
