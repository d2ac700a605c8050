/** One sealed worker for pictures, and the pictures that it is at. */
import { startWorker, WORKER } from "./workers.js";

/** @typedef {import("./door.js").Request} Request */
/** @typedef {import("./door.js").Hashed} Hashed */
/** @typedef {{ request: Request, hashed: Hashed, moving: boolean }} Waiting */
/**
 * @typedef {{ kind: "ready" } | { kind: "step", id: number, step: string } | { kind: "needs", name: string }
 *   | { kind: "missing", id: number } | { kind: "result", id: number, json: string, moving?: boolean }
 *   | { kind: "rest", id: number, json: string } | { kind: "unreadable", id: number } | { kind: "video", id: number }
 *   | { kind: "crashed" }} FromWorker
 */

export class Lane {
  /** Whether Python runs. */
  ready = false;
  /** Whether it was given numpy and imagehash, or soon will be. */
  phash = false;
  /** What it is at. @type {Request | undefined} */
  request;
  /** The pictures that lack their phash alone. @type {Map<number, Waiting>} */
  rest = new Map();
  #worker;

  /**
   * Starts the worker's script. Throws nothing; `usable` is false in a browser without module workers.
   *
   * @param {(lane: Lane, message: FromWorker) => void} hear is told what it says, and `crashed` when it dies
   */
  constructor(hear) {
    const worker = startWorker(WORKER);
    this.#worker = worker;
    if (!worker) return;
    /** @param {MessageEvent<FromWorker>} event */
    worker.onmessage = ({ data }) => this.#worker === worker && hear(this, data);
    worker.onerror = () => this.#worker === worker && hear(this, { kind: "crashed" });
  }

  get usable() {
    return this.#worker !== undefined;
  }

  /** @param {import("./runtime.js").Runtime} files */
  start(files) {
    this.send({ kind: "start", files });
  }

  /** @param {Request} request */
  hash(request) {
    this.request = request;
    request.ways.onStep?.("started");
    this.send({ kind: "hash", id: request.id, file: request.file });
  }

  /** @param {object} message */
  send(message) {
    this.#worker?.postMessage(message);
  }

  /** Ends the worker, and with it all it had read. */
  close() {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

/** Pictures that must be waiting before a second worker is worth the second that it takes to start. */
const MANY = 12;
/** Gigabytes of memory under which a device has enough to do with one. */
const ENOUGH = 4;

/**
 * How many workers are right for this device while so many pictures wait. Browsers that do not tell the memory are
 * taken at their word on cores, but for phones and tablets among them.
 *
 * @param {number} waiting
 */
export function lanesFor(waiting) {
  const { hardwareConcurrency: cores = 1, maxTouchPoints } = navigator;
  const memory =
    "deviceMemory" in navigator ? Number(navigator.deviceMemory) : maxTouchPoints > 1 ? 0 : ENOUGH;
  return waiting >= MANY && cores > 1 && memory >= ENOUGH ? 2 : 1;
}
