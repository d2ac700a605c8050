/**
 * What the page and its sealed workers say to each other with `postMessage`. Types only: the page (`page/engine`) and
 * the workers (`worker`) are compiled apart and share nothing else.
 *
 * A picture goes to the picture worker: `start`, `hash`, then `step`s, a `result` without phash, and a `rest` with it.
 * A video goes to the video worker: one request, then `share`s and one `result`.
 */

/** One fingerprint, as the registry takes it (PROTOCOL.md). */
export type Signal = { type: string; value: string; quality?: number; variant?: string };

/** What a worker made of one file: the JSON of a `result`. */
export interface Hashed {
  signals: Signal[];
  /** Left out for a picture. */
  kind?: "video";
  /** Of a video, its best frame's; null where the browser cannot decode the frames. */
  quality: number | null;
  /** Pixels of the upright picture; 0 where they are not known. */
  width: number;
  height: number;
  format: string;
  /** Whether a part of the file is missing, and what is there was hashed. */
  incomplete?: boolean;
  /** The code of the error that kept the pixels from being decoded; `signals` are the exact ones alone. */
  unseen?: string;
  /** Of a picture: the EXIF orientation (1-8) that makes the decoded pixels upright. */
  orientation?: number;
}

/** The JSON of a `result` for a file that cannot be hashed; `code` is one of the package's codes of errors. */
export type HashingFailed = { error: { code: string; text: string } };

/**
 * The functions of CPython and of Pillow's libraries that a first hash does not need. Either all of them, or shared
 * memory of the size of the file: the worker asks by `needs` and waits; the page writes the file into `bytes`, sets the
 * first number of `filled` to 1 and wakes the worker. The page reads neither, so that nothing leaves the worker by them;
 * each worker has its own.
 */
export type SecondPart = ArrayBuffer | { bytes: SharedArrayBuffer; filled: SharedArrayBuffer };

/** What the picture worker starts Python from. */
export interface RuntimeFiles {
  /** The first part of CPython: the functions that a first hash needs. */
  wasm: WebAssembly.Module;
  second: SecondPart;
  /** The standard library: a zip that Python imports from. */
  python: ArrayBuffer;
  /** Pillow, whose libraries are first parts, and Takeback: a zip that is unpacked into the worker's memory. */
  packages: ArrayBuffer;
  /** Pyodide's lock of those packages, as JSON. */
  lock: string;
}

/** Page to picture worker. */
export type ToPictureWorker =
  | { kind: "start"; files: RuntimeFiles }
  /** One at a time: the next one follows the answer. */
  | { kind: "hash"; id: number; file: Blob }
  /** The answer to `needs` of a decoder; without content if the file cannot be fetched. */
  | { kind: "later"; name: string; content?: ArrayBuffer | undefined }
  /** numpy and imagehash: a zip, unpacked like the other packages. */
  | { kind: "phash"; packages: ArrayBuffer };

/** Picture worker to page. */
export type FromPictureWorker =
  | { kind: "ready" }
  /** `started`, `decoded` or `hashed`. */
  | { kind: "step"; id: number; step: string }
  /** A file below `/runtime` without which this picture cannot be hashed. */
  | { kind: "needs"; name: string }
  /** The page could not fetch what this picture needs. */
  | { kind: "missing"; id: number }
  /** JSON of `Hashed` without phash, or of `HashingFailed`; `moving`: the video worker may find frames in the file. */
  | { kind: "result"; id: number; json: string; moving?: boolean }
  /** JSON of the signals that follow a `result`: phash. */
  | { kind: "rest"; id: number; json: string }
  | Unreadable
  /** The file is a video, which the video worker hashes. */
  | { kind: "video"; id: number }
  | Crashed;

/**
 * What the video worker is asked for: `hash` a video; its `frameless` hashes alone, after the worker died of its frames;
 * the frames of an `animation`; the `exact` hashes of a picture that cannot be decoded.
 */
export interface VideoRequest {
  kind: "hash" | "frameless" | "animation" | "exact";
  file: Blob;
  /** Of an animation, as in `Hashed`. */
  orientation?: number | undefined;
}

/** Page to video worker. */
export type ToVideoWorker = VideoRequest & { id: number };

/** Video worker to page. */
export type FromVideoWorker =
  /** How much of the file is done, from 0 to 1. */
  | { kind: "share"; id: number; share: number }
  /** JSON of `Hashed` or of `HashingFailed`; for an animation, of its `signals` alone. */
  | { kind: "result"; id: number; json: string }
  | Unreadable
  /** Sent every two seconds unless the worker hangs. */
  | { kind: "alive" }
  | Crashed;

/** The browser could not read the file. */
type Unreadable = { kind: "unreadable"; id: number };

/** The worker threw something it has no answer for, or died; it is not used again. `text` names the error. */
type Crashed = { kind: "crashed"; text: string };
