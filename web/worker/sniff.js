/** Tells videos from pictures by their first bytes; the same as `video_format` of `py/takeback/hashing/video.py`. */

/** Bytes from the start of a file that tell what it is. */
const SNIFFED = 12;
/** Brands of the same container that are pictures: HEIF and AVIF, and their sequences. */
const STILLS = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "avif", "avis"]);
/** What a QuickTime file without a brand begins with. */
const OLD_ATOMS = new Set(["moov", "mdat", "wide", "free", "skip", "pnot"]);
/** The brand of AVIF that moves, and how many bytes of brands are looked through for it. */
const SEQUENCE = "avis";
const BRANDS = 64;
const MATROSKA = "\x1a\x45\xdf\xa3";

/**
 * `MP4`, `MOV` or `WEBM`; nothing for anything else. Rejects when the browser cannot read the file.
 *
 * @param {Blob} file
 */
export async function videoFormat(file) {
  const start = String.fromCharCode(...new Uint8Array(await file.slice(0, SNIFFED).arrayBuffer()));
  if (start.startsWith(MATROSKA)) return "WEBM";
  const atom = start.slice(4, 8);
  const brand = start.slice(8, 12);
  if (atom === "ftyp" && brand.length === 4 && !STILLS.has(brand)) return brand === "qt  " ? "MOV" : "MP4";
  return OLD_ATOMS.has(atom) ? "MOV" : undefined;
}

/**
 * Whether an AVIF says that it moves.
 *
 * @param {Uint8Array} start
 */
export function isSequence(start) {
  const text = String.fromCharCode(...start.subarray(0, Math.min(BRANDS, start[3] ?? 0)));
  return text.slice(4, 8) === "ftyp" && text.includes(SEQUENCE, 8);
}
