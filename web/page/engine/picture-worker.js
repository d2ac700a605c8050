/** One sealed worker for pictures: what it is hashing, and what of it still lacks its phash. */
import { SharedPart } from "./second-part.js";
import { startWorker, PICTURE_WORKER } from "./workers.js";

/** @typedef {import("../../messages.d.ts").FromPictureWorker} FromPictureWorker */
/** @typedef {import("../../messages.d.ts").Hashed} Hashed */
/** @typedef {import("./door.js").Request} Request */
/** @typedef {{ request: Request, hashed: Hashed, moving: boolean }} Unfinished `moving`: it may have frames as well */

export class PictureWorker {
  /** Whether Python runs in it. */
  ready = false;
  /** Whether it was sent numpy and imagehash, or is about to be. */
  hasPhash = false;
  /** The picture that it is hashing. @type {Request | undefined} */
  current;
  /** The pictures that lack nothing but their phash, by the number of the request. @type {Map<number, Unfinished>} */
  unfinished = new Map();
  #worker;
  /** Where the worker waits for the second part of CPython, unless it has it. @type {SharedPart | undefined} */
  #second;

  /**
   * Starts the worker's script. Throws nothing; `usable` is false in a browser without module workers.
   *
   * @param {(from: PictureWorker, message: FromPictureWorker) => void} onMessage gets what the worker says, and `crashed`
   *   when it dies; nothing after `close`
   */
  constructor(onMessage) {
    const worker = startWorker(PICTURE_WORKER);
    this.#worker = worker;
    if (!worker) return;
    /** @param {MessageEvent<FromPictureWorker>} event */
    worker.onmessage = ({ data }) => this.#worker === worker && onMessage(this, data);
    worker.onerror = () => this.#worker === worker && onMessage(this, { kind: "crashed", text: "error" });
  }

  get usable() {
    return this.#worker !== undefined;
  }

  /** @param {import("./runtime.js").Runtime} runtime */
  start({ second, ...files }) {
    if (typeof second !== "number") return this.send({ kind: "start", files: { ...files, second } });
    this.#second = new SharedPart(second);
    this.send({ kind: "start", files: { ...files, second: this.#second.memory } });
  }

  /**
   * Gives the worker the second part of CPython, for which it waits.
   *
   * @param {ArrayBuffer} content
   */
  fill(content) {
    this.#second?.fill(content);
  }

  /** @param {Request} request */
  hash(request) {
    this.current = request;
    request.options.onStep?.("started");
    this.send({ kind: "hash", id: request.id, file: request.file });
  }

  /** @param {import("../../messages.d.ts").ToPictureWorker} message */
  send(message) {
    this.#worker?.postMessage(message);
  }

  /** Terminates the worker, and with it all that it has read. */
  close() {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

/** A second worker takes as long to start as several pictures take to hash; with fewer it is not worth it. */
const SECOND_WORKER_PICTURES = 6;
/** A device with less memory is busy enough with one worker. */
const SECOND_WORKER_GIGABYTES = 4;

/**
 * How many workers this device should have for so many pictures. Browsers that do not tell the memory get two by their
 * cores, except on phones and tablets.
 *
 * @param {number} pictures
 */
export function workersFor(pictures) {
  const { hardwareConcurrency: cores = 1, maxTouchPoints } = navigator;
  const unknown = maxTouchPoints > 1 ? 0 : SECOND_WORKER_GIGABYTES;
  const gigabytes = "deviceMemory" in navigator ? Number(navigator.deviceMemory) : unknown;
  return pictures >= SECOND_WORKER_PICTURES && cores > 1 && gigabytes >= SECOND_WORKER_GIGABYTES ? 2 : 1;
}
