/**
 * Hashes an upload for takeback-lookup.mjs, as py/takeback/lookup/reading.py does. Each picture gets a process of its own
 * (takeback-hashing.mjs) with limits of time and memory: a file may be made to stall a decoder, or to break it.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const HEAD_BYTES = 4096;
const MAX_PICTURE_BYTES = 100 << 20;
const READERS = 2; // pictures that are decoded at once: each may take a gigabyte
const CPU_SECONDS = 10;
const WALL_CLOCK_SECONDS = 60;
const MEMORY_KB = 1_200_000;
const MAX_FOUND_CHARS = 1 << 20;
const MAX_PATCHES = 1800;
const TURNS = 6;
const PROGRAM = fileURLToPath(new URL("takeback-hashing.mjs", import.meta.url));
const KERNEL = new URL("takeback-kernel.wasm", import.meta.url);
const SHELL = "/bin/sh"; // Node cannot set limits itself
const LIMITED = `ulimit -c 0; ulimit -f 0; ulimit -t ${CPU_SECONDS}; ulimit -d ${MEMORY_KB}; exec "$0" "$@"`;
const KEPT_VARIABLES = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT"];
const FORMS = ["orig", "rot90", "rot180", "rot270", "flipx", "flipy", "flipp", "flipm"];
const HASH = /^[0-9a-f]{64}$/;
const FRAMES = /^(\d{1,9},\d{1,3},[0-9a-f]{64},\d{1,7}\.\d{3}(;|$))*$/;
const PATCH = /^[0-9a-f]{16}$/;

/** @typedef {"picture" | "video" | "unreadable" | "not_media" | "signals"} Kind */
/** @typedef {string | Uint8Array | Blob | AsyncIterable<Uint8Array>} Upload a path, bytes, a blob or a stream */
/** @typedef {{ type: string, value: string, quality?: number }} Signal */
/** @typedef {[hash: string, turn: number, spot: number]} Patch */
/**
 * What an upload is, its SHA-256, and its other fingerprints. `why` is the code of the reason why it is unreadable;
 * `partly` says that some of it was not hashed.
 * @typedef {{ kind: Kind, sha256: string, signals: Signal[], dihedral: Record<string, string>, patches: Patch[],
 *   why: string, partly: boolean }} Hashed
 */

/** Returns what is missing to hash pictures, so that it is told at the start and not at the first upload. */
export function missing() {
  if (!existsSync(PROGRAM) || !existsSync(KERNEL))
    return "copy all files of the folder that takeback-lookup.mjs is in";
  try {
    import.meta.resolve("sharp");
    return "";
  } catch {
    return "pictures are decoded by sharp: npm install sharp";
  }
}

/** @param {Kind} kind @param {string} sha256 @param {string} why @returns {Hashed} */
export function plain(kind, sha256, why = "") {
  return { kind, sha256, signals: [], dihedral: {}, patches: [], why, partly: false };
}

/**
 * Hashes an upload. Every file gets a result; of a video and of an unreadable file there is the SHA-256 alone.
 * @param {Upload} upload
 * @param {string} type
 * @returns {Promise<Hashed>}
 */
export async function readUpload(upload, type) {
  const exact = createHash("sha256");
  let [head, size] = [Buffer.alloc(0), 0];
  /** @type {Uint8Array[]} */
  let parts = [];
  for await (const part of partsOf(upload)) {
    exact.update(part);
    size += part.length;
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, part.subarray(0, HEAD_BYTES - head.length)]);
    parts.push(part);
    const isDone = head.length === HEAD_BYTES && kindOf(head, type) !== "picture";
    if (isDone || size > MAX_PICTURE_BYTES) parts = [];
  }
  const [kind, sha256] = [kindOf(head, type), exact.digest("hex")];
  if (kind === "unreadable") return plain(kind, sha256, "unknown-format");
  if (kind !== "picture") return plain(kind, sha256);
  if (size > MAX_PICTURE_BYTES) return plain("unreadable", sha256, "picture-too-large");
  const found = await inTurn(() => hashElsewhere(parts));
  return "why" in found ? plain("unreadable", sha256, found.why) : { ...plain(kind, sha256), ...found };
}

/** @param {Upload} upload @returns {Iterable<Uint8Array> | AsyncIterable<Uint8Array>} */
function partsOf(upload) {
  if (typeof upload === "string") return createReadStream(upload);
  if (upload instanceof Uint8Array) return [upload];
  return upload instanceof Blob ? upload.stream() : upload;
}

/**
 * What a file is by its first bytes, and by the media type that it came with.
 * @param {Buffer} head
 * @param {string} type
 * @returns {Kind}
 */
function kindOf(head, type) {
  const start = head.toString("latin1");
  const [atom, brand] = [start.slice(4, 8), start.slice(8, 12)];
  if (/^(\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|II[*+]\0|MM\0[*+])/.test(start)) return "picture";
  if (start.startsWith("RIFF") && brand === "WEBP") return "picture";
  if (/^(BM|\xff\x0a|\0\0\0\x0cJXL )/.test(start)) return "unreadable"; // sharp's own libvips does not decode them
  if (atom === "ftyp") {
    const brands = start.slice(8, Math.min(head.readUInt32BE(0), head.length));
    if (/^(.{4})*?(avif|avis|avio|MA1A|MA1B)/s.test(brands)) return "picture";
    return /^(hei|hev|mif|msf|miaf|MiH)/.test(brand) ? "unreadable" : "video";
  }
  const isTransport = [
    [0, 188],
    [4, 192],
  ].some(([at, size]) => [0, 1, 2].every((n) => start[at + n * size] === "G"));
  if (
    isTransport ||
    /^(\x1a\x45\xdf\xa3|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\0\0\x01\xba|RIFF.{4}AVI )/s.test(start)
  )
    return "video";
  if (["moov", "mdat", "wide", "free", "skip", "pnot"].includes(atom)) return "video";
  return /^\s*(image|video)\//i.test(type) ? "unreadable" : "not_media";
}

/** @type {(() => void)[]} */
const waiting = [];
let reading = 0;

/**
 * Does some work once fewer than `READERS` others are under way.
 * @template T
 * @param {() => Promise<T>} work
 */
async function inTurn(work) {
  if (reading < READERS) reading += 1;
  else await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else reading -= 1;
  }
}

/**
 * Hashes a picture in a new process, which has no environment and ends with the file.
 * @param {Uint8Array[]} parts
 * @returns {Promise<Pick<Hashed, "signals" | "dihedral" | "patches" | "partly"> | { why: string }>}
 */
async function hashElsewhere(parts) {
  const env = Object.fromEntries(
    KEPT_VARIABLES.map((name) => [name, process.env[name]]).filter(([, value]) => value),
  );
  const limits = /** @type {const} */ ({ timeout: WALL_CLOCK_SECONDS * 1000, killSignal: "SIGKILL" });
  const program = existsSync(SHELL)
    ? [SHELL, "-c", LIMITED, process.execPath, PROGRAM]
    : [process.execPath, PROGRAM];
  const child = spawn(program[0], program.slice(1), { env, stdio: ["pipe", "pipe", "ignore"], ...limits });
  let said = "";
  child.stdout.setEncoding("latin1").on("data", (part) => {
    said += part;
    if (said.length > MAX_FOUND_CHARS) child.kill("SIGKILL");
  });
  child.stdin.on("error", () => {}); // it ended before it had read everything
  for (const part of parts) child.stdin.write(part);
  child.stdin.end();
  const [code, signal] = await new Promise((resolve) => {
    child.on("error", () => resolve([1, null])).on("close", (...ended) => resolve(ended));
  });
  if (signal) return { why: "over-budget" };
  return (code === 0 && trusted(said)) || { why: "damaged-picture" };
}

/**
 * What the process found; nothing if it is malformed: a file may have taken the process over.
 * @param {string} said
 */
function trusted(said) {
  let found;
  try {
    found = JSON.parse(said);
  } catch {
    return undefined;
  }
  const { pdq, quality, dihedral, patches, frames, partly } = found ?? {};
  /** @param {any} value @param {number} end */
  const isBelow = (value, end) => Number.isInteger(value) && value >= 0 && value < end;
  const isPatch = (/** @type {any} */ one) =>
    one?.length === 3 && PATCH.test(one[0]) && isBelow(one[1], TURNS) && isBelow(one[2], 256);
  if (!HASH.test(pdq) || !isBelow(quality, 101) || !FRAMES.test(frames) || typeof partly !== "boolean")
    return undefined;
  if (!FORMS.every((name) => HASH.test(dihedral?.[name]))) return undefined;
  if (!Array.isArray(patches) || patches.length > MAX_PATCHES || !patches.every(isPatch)) return undefined;
  const moving = frames ? [{ type: "vpdq", value: frames }] : [];
  const forms = Object.fromEntries(FORMS.map((name) => [name, dihedral[name]]));
  return { signals: [{ type: "pdq", value: pdq, quality }, ...moving], dihedral: forms, patches, partly };
}
