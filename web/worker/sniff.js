/** Tells videos from pictures by their first bytes. It must do the same as `video_format` of `py/takeback/hashing/video.py`. */

/** How much of a file is looked at. */
const SNIFFED_BYTES = 4096;
/** Brands of pictures and of their sequences, as in `py/takeback/hashing/boxes.py`. */
// prettier-ignore
export const STILLS = new Set([
  "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "heif", "MiHA", "MiHB", "MiHE", "avif", "avis", "avio",
  "MA1A", "MA1B", "mif1", "mif2", "mif3", "msf1", "miaf",
]);
/** Boxes that may follow the brands of a video. */
const VIDEO_BOXES = new Set(["moov", "mdat", "moof", "styp", "sidx"]);
const SKIPPED_BOXES = new Set(["ftyp", "etyp", "free", "skip", "wide", "uuid"]);
/** The first box of a QuickTime file without a brand. */
const OLD_ATOMS = new Set(["moov", "mdat", "wide", "free", "skip", "pnot"]);
/** The brand of an animated AVIF. */
const AVIF_SEQUENCE = "avis";
/** The first bytes of other containers. Matroska counts as WEBM. @type {Record<string, string>} */
const SIGNATURES = {
  "\x1a\x45\xdf\xa3": "WEBM",
  "FLV\x01": "FLV",
  "\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMV",
  "\0\0\x01\xba": "MPEG",
};
/** Offset and length of the packets of an MPEG transport stream: as broadcast, and as camcorders write it. */
const TS_PACKETS = [
  [0, 188],
  [4, 192],
];
/** The first byte of such a packet. */
const TS_SYNC = "G";

/**
 * The container of a video; undefined for anything else.
 *
 * @param {Blob} file
 * @throws {DOMException} if the browser cannot read the file
 */
export async function videoFormat(file) {
  const start = text(new Uint8Array(await file.slice(0, SNIFFED_BYTES).arrayBuffer()));
  for (const [begin, kind] of Object.entries(SIGNATURES)) if (start.startsWith(begin)) return kind;
  if (start.startsWith("RIFF") && start.slice(8, 12) === "AVI ") return "AVI";
  if (
    TS_PACKETS.some(([at = 0, length = 0]) =>
      [0, 1, 2].every((packet) => start[at + packet * length] === TS_SYNC),
    )
  )
    return "TS";
  const atom = start.slice(4, 8);
  const brand = start.slice(8, 12);
  if (atom === "ftyp" && brand.length === 4 && !isPicture(start)) return brand === "qt  " ? "MOV" : "MP4";
  return OLD_ATOMS.has(atom) ? "MOV" : undefined;
}

/**
 * Whether an AVIF declares that it is animated.
 *
 * @param {Uint8Array} start
 */
export function isSequence(start) {
  return brandsOf(text(start.subarray(0, SNIFFED_BYTES))).includes(AVIF_SEQUENCE);
}

/**
 * Whether the brands are those of a picture: the major brand, or any of them if no video follows. As `boxes.kind_of`.
 *
 * @param {string} start
 */
function isPicture(start) {
  const brands = brandsOf(start);
  return (
    STILLS.has(brands[0] ?? "") ||
    (brands.some((brand) => STILLS.has(brand)) && !VIDEO_BOXES.has(next(start)))
  );
}

/**
 * @param {string} start
 * @returns {string[]} empty for a file without brands
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
    if (!SKIPPED_BOXES.has(name)) return name;
    if (size(start, at) < 8) break;
  }
  return "";
}

/**
 * The length of the box at an offset.
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
