/** The one door to the sealed workers: what goes in is a picture, what comes out is its hashes. */
import { DoorError } from "./door-error.js";
import { loadRuntime } from "./runtime.js";
import { Videos } from "./video.js";
import { startWorker, WORKER } from "./workers.js";

/**
 * What the worker found.
 *
 * @typedef {object} Hashed
 * @property {{ type: string, value: string, quality?: number, variant?: string }[]} signals
 * @property {"video"} [kind]
 * @property {number | null} quality of a video its best frame's; nothing where the browser cannot decode its frames
 * @property {number} width of the upright picture, in pixels
 * @property {number} height
 * @property {string} format
 */

/** @typedef {import("./runtime.js").Runtime} Runtime */
/** @typedef {{ signal?: AbortSignal, onStep?: (step: string) => unknown, onShare?: (share: number) => unknown }} Ways */
/** @typedef {{ id: number, file: Blob, ways: Ways, done: (hashed: Hashed) => void, failed: (fault: DoorError) => void }} Request */
/**
 * @typedef {{ kind: "ready" } | { kind: "step", id: number, step: string } | { kind: "result", id: number, json: string }
 *   | { kind: "unreadable", id: number } | { kind: "video", id: number } | { kind: "crashed" }} FromWorker
 */

/** An empty function with one SIMD instruction: Python's kernel needs them. */
// prettier-ignore
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);
/**
 * Opens the door: loads the runtime and starts the worker.
 *
 * @param {{ onProgress?: (progress: import("./runtime.js").Progress) => void }} [ways]
 */
export function createDoor({ onProgress = () => {} } = {}) {
  return new Door(onProgress);
}

class Door {
  /** @type {Runtime | undefined} */
  #runtime;
  /** @type {Worker | undefined} */
  #worker;
  /** @type {Map<number, Request>} in the order in which they came; the worker is at the first */
  #requests = new Map();
  #videos = new Videos();
  #nextId = 1;
  #closed = false;
  #wasReady = false;
  /** @type {PromiseWithResolvers<void>} */
  #ready = withResolvers();

  /** @param {(progress: import("./runtime.js").Progress) => void} onProgress */
  constructor(onProgress) {
    this.#ready.promise.catch(() => {}); // whoever hashes is told as well
    void this.#open(onProgress);
  }

  /** Settles when the first picture can be hashed at once, or never. */
  get ready() {
    return this.#ready.promise;
  }

  /**
   * Hashes one picture. Aborting throws the worker away, and with it all it had read.
   *
   * @param {Blob} file
   * @param {Ways} [ways]
   * @returns {Promise<Hashed>}
   */
  async hash(file, ways = {}) {
    await untilAborted(this.#ready.promise, ways.signal);
    if (this.#closed) throw new DoorError("aborted", "the door is closed");
    const { promise, resolve, reject } = /** @type {PromiseWithResolvers<Hashed>} */ (withResolvers());
    const id = this.#nextId++;
    const request = { id, file, ways, done: resolve, failed: reject };
    this.#requests.set(id, request);
    const abort = () => this.#abort(id);
    ways.signal?.addEventListener("abort", abort);
    this.#post(request);
    return promise.finally(() => ways.signal?.removeEventListener("abort", abort));
  }

  /** Ends the worker and drops the runtime; what is still asked for is aborted. */
  close() {
    this.#closed = true;
    this.#worker?.terminate();
    this.#videos.close();
    this.#runtime = undefined;
    const closed = new DoorError("aborted", "the door is closed");
    this.#ready.reject(closed);
    for (const request of this.#requests.values()) request.failed(closed);
    this.#requests.clear();
  }

  /** @param {(progress: import("./runtime.js").Progress) => void} onProgress */
  async #open(onProgress) {
    try {
      if (!globalThis.WebAssembly?.validate(SIMD)) throw unsupported();
      this.#createWorker(); // its script loads while the files do
      this.#runtime = await loadRuntime((progress) => this.#closed || onProgress(progress));
      if (!this.#closed) this.#startPython();
    } catch (fault) {
      this.#fail(fault instanceof DoorError ? fault : unavailable(fault));
    }
  }

  #createWorker() {
    const worker = startWorker(WORKER);
    if (!worker) throw unsupported();
    this.#worker = worker;
    /** @param {MessageEvent<FromWorker>} event */
    worker.onmessage = ({ data }) => this.#worker === worker && this.#receive(data);
    worker.onerror = () => this.#worker === worker && this.#crashed();
  }

  #startPython() {
    if (this.#runtime) this.#worker?.postMessage({ kind: "start", files: this.#runtime });
  }

  /** A fresh worker from what is in memory; the requests that are left go to it. */
  #restart() {
    this.#worker?.terminate();
    this.#createWorker();
    this.#startPython();
    for (const request of this.#requests.values()) this.#post(request);
  }

  /** @param {Request} request */
  #post({ id, file }) {
    this.#worker?.postMessage({ kind: "hash", id, file });
  }

  /** @param {FromWorker} message */
  #receive(message) {
    if (message.kind === "crashed") return this.#crashed();
    if (message.kind === "ready") return this.#becomeReady();
    const request = this.#requests.get(message.id);
    if (!request) return;
    if (message.kind === "step") return void request.ways.onStep?.(message.step);
    this.#requests.delete(message.id);
    if (message.kind === "video")
      return void this.#videos.hash(request.file, request.ways).then(request.done, request.failed);
    if (message.kind === "unreadable")
      return request.failed(new DoorError("unreadable-file", "the browser cannot read this file"));
    const answer = JSON.parse(message.json);
    if (answer.error) request.failed(new DoorError(answer.error.code, answer.error.text));
    else request.done(answer);
  }

  #becomeReady() {
    this.#wasReady = true;
    this.#ready.resolve();
  }

  /** @param {number} id */
  #abort(id) {
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.delete(id);
    this.#restart();
    request.failed(new DoorError("aborted", "hashing was stopped"));
  }

  /** The worker is gone: the picture it was at is to blame, the others are tried again. */
  #crashed() {
    if (!this.#wasReady) return this.#fail(unavailable("the worker did not start"));
    const [request] = this.#requests.values();
    if (request) this.#requests.delete(request.id);
    else return this.#fail(unavailable("the worker did not start again"));
    this.#restart();
    request.failed(new DoorError("worker-crashed", "the picture could not be hashed"));
  }

  /** @param {DoorError} fault */
  #fail(fault) {
    this.#ready.reject(fault);
    this.close();
  }
}

function unsupported() {
  return new DoorError("unsupported-browser", "the browser lacks WebAssembly or module workers");
}

/** @param {unknown} cause */
function unavailable(cause) {
  return new DoorError("runtime-unavailable", cause instanceof Error ? cause.message : String(cause));
}

/**
 * @param {Promise<void>} promise
 * @param {AbortSignal | undefined} signal
 */
async function untilAborted(promise, signal) {
  const aborted = new DoorError("aborted", "hashing was stopped");
  if (signal?.aborted) throw aborted;
  const { promise: stop, reject } = /** @type {PromiseWithResolvers<void>} */ (withResolvers());
  const abort = () => reject(aborted);
  signal?.addEventListener("abort", abort);
  return Promise.race([promise, stop]).finally(() => signal?.removeEventListener("abort", abort));
}

/**
 * `Promise.withResolvers`, which browsers have only had since 2024.
 *
 * @template T
 * @returns {PromiseWithResolvers<T>}
 */
function withResolvers() {
  /** @type {any} */
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
