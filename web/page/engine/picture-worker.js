/** One sealed worker for pictures: what it is hashing, and what of it still lacks its phash. */
import { SharedPart } from "./second-part.js";
import { startWorker, PICTURE_WORKER } from "./workers.js";

/** @typedef {import("../../messages.d.ts").FromPictureWorker} FromPictureWorker */
/** @typedef {import("../../messages.d.ts").Hashed} Hashed */
/** @typedef {import("./door.js").Request} Request */
/** @typedef {{ request: Request, hashed: Hashed, moving: boolean }} Unfinished `moving`: it may have frames as well */

/** What a worker that hangs is said to have crashed of. */
export const SILENT = "silent";
/** How often to look whether a worker that owes an answer has said anything. */
const CHECK_MILLISECONDS = 5000;
/**
 * After so many looks in a row without a message it hangs: two minutes, in which the slowest phones decode the largest
 * pictures. Looks are counted and not time, because a phone in a pocket stops the page and the worker alike.
 */
const MAX_SILENT_CHECKS = 24;

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
  #onMessage;
  /** Whether it has numpy and imagehash. */
  #makesPhash = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watching;
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
    this.#onMessage = onMessage;
    if (!worker) return;
    /** @param {MessageEvent<FromPictureWorker>} event */
    worker.onmessage = ({ data }) => this.#worker === worker && this.#receive(data);
    worker.onerror = () => this.#worker === worker && onMessage(this, { kind: "crashed", text: "error" });
  }

  /** @param {FromPictureWorker} message */
  #receive(message) {
    this.#onMessage(this, message);
    // What it waits for comes over the network, which has limits of its own.
    if (message.kind === "needs") clearInterval(this.#watching);
    else this.#watch();
  }

  /** Takes the worker for dead if it owes an answer and says nothing: to start, to hash, or to make phash. */
  #watch() {
    clearInterval(this.#watching);
    const owes = !this.ready || this.current || (this.#makesPhash && this.unfinished.size > 0);
    if (!this.#worker || !owes) return;
    let checks = 0;
    this.#watching = setInterval(() => {
      checks += 1;
      if (checks >= MAX_SILENT_CHECKS) this.#onMessage(this, { kind: "crashed", text: SILENT });
    }, CHECK_MILLISECONDS);
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
    this.#watch();
  }

  /** @param {Request} request */
  hash(request) {
    this.current = request;
    request.options.onStep?.("started");
    this.send({ kind: "hash", id: request.id, file: request.file });
  }

  /** @param {import("../../messages.d.ts").ToPictureWorker} message */
  send(message) {
    if (message.kind === "phash") this.#makesPhash = true;
    this.#worker?.postMessage(message);
    this.#watch();
  }

  /** Terminates the worker, and with it all that it has read. */
  close() {
    clearInterval(this.#watching);
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
