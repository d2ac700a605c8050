/** The one door to the sealed workers: what goes in is a picture, what comes out is its hashes. */
import { DoorError } from "./door-error.js";
import { Lane, lanesFor } from "./picture-worker.js";
import { loadLater, loadRuntime } from "./runtime.js";
import { Videos } from "./video-worker.js";

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
 * @property {boolean} [incomplete] whether the file of a picture lacks a part, and what is there was hashed
 * @property {string} [unseen] why its pixels cannot be had, where there are the exact signals alone
 * @property {number} [orientation] of a picture: what makes the decoded pixels upright, in EXIF's numbers
 */

/** @typedef {import("./runtime.js").Runtime} Runtime */
/**
 * Who wants to know what: `onStep` of `started`, `decoded` and `hashed`; `onHashed` of all signals but phash, once they
 * are there.
 *
 * @typedef {object} Ways
 * @property {AbortSignal} [signal]
 * @property {(step: string) => unknown} [onStep]
 * @property {(share: number) => unknown} [onShare]
 * @property {(hashed: Hashed) => unknown} [onHashed]
 */
/**
 * `again`: its worker died at it, so it is tried once more while nothing else is.
 *
 * @typedef {{ id: number, file: Blob, ways: Ways, again: boolean, done: (hashed: Hashed) => void, failed: (fault: DoorError) => void }} Request
 */

/** Pictures that may lack their phash before it is made, although others still wait. */
const MOST_UNFINISHED = 10;
/** Milliseconds that numpy and imagehash may take to arrive once nothing else is to be done. */
const PATIENCE = 20_000;
const PHASH = "phash.zip";
/** Why the pixels of a picture cannot be had. Its file has exact hashes all the same. */
const UNSEEN = new Set(["damaged-picture", "picture-too-large", "worker-crashed"]);
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
  /** @type {Lane[]} */
  #lanes = [];
  #most = 2;
  /** @type {Request[]} not at a worker yet, in the order in which they came */
  #waiting = [];
  /** @type {Map<string, Promise<ArrayBuffer | undefined>>} what was loaded beside the runtime */
  #later = new Map();
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
   * Hashes one picture. Aborting throws the worker away that is at it, and with it all it had read.
   *
   * @param {Blob} file
   * @param {Ways} [ways]
   * @returns {Promise<Hashed>}
   */
  async hash(file, ways = {}) {
    await untilAborted(this.#ready.promise, ways.signal);
    if (this.#closed) throw new DoorError("aborted", "the door is closed");
    const { promise, resolve, reject } = /** @type {PromiseWithResolvers<Hashed>} */ (withResolvers());
    const request = { id: this.#nextId++, file, ways, again: false, done: resolve, failed: reject };
    const abort = () => this.#abort(request);
    ways.signal?.addEventListener("abort", abort);
    this.#waiting.push(request);
    this.#share();
    return promise.finally(() => ways.signal?.removeEventListener("abort", abort));
  }

  /** Ends the workers and drops the runtime; what is still asked for is aborted. */
  close() {
    this.#closed = true;
    this.#videos.close();
    this.#runtime = undefined;
    const closed = new DoorError("aborted", "the door is closed");
    this.#ready.reject(closed);
    for (const lane of this.#lanes.splice(0)) {
      lane.close();
      for (const { request } of lane.rest.values()) request.failed(closed);
      lane.request?.failed(closed);
    }
    for (const request of this.#waiting.splice(0)) request.failed(closed);
  }

  /** @param {(progress: import("./runtime.js").Progress) => void} onProgress */
  async #open(onProgress) {
    try {
      if (!globalThis.WebAssembly?.validate(SIMD)) throw unsupported();
      const first = this.#addLane(); // its script loads while the files do
      this.#runtime = await loadRuntime((progress) => this.#closed || onProgress(progress));
      if (!this.#closed) first.start(this.#runtime);
    } catch (fault) {
      this.#fail(fault instanceof DoorError ? fault : unavailable(fault));
    }
  }

  #addLane() {
    const lane = new Lane((teller, message) => this.#receive(teller, message));
    if (!lane.usable) throw unsupported();
    this.#lanes.push(lane);
    return lane;
  }

  /** Gives every worker that is free the next picture, or else what it needs for phash. */
  #share() {
    if (this.#closed) return;
    const wanted = Math.min(lanesFor(this.#waiting.length), this.#most);
    if (this.#runtime && this.#lanes.length < wanted) this.#addLane().start(this.#runtime);
    for (const lane of this.#lanes) {
      if (!lane.ready || lane.request) continue;
      const next = this.#next();
      if (next) lane.hash(next);
      if (!next || lane.rest.size >= MOST_UNFINISHED) void this.#bringPhash(lane);
    }
  }

  /** The next picture. One that is tried again is alone. */
  #next() {
    const busy = this.#lanes.flatMap(({ request }) => request ?? []);
    if (busy.some(({ again }) => again) || (busy.length && this.#waiting[0]?.again)) return undefined;
    return this.#waiting.shift();
  }

  /**
   * @param {Lane} lane
   * @param {import("./picture-worker.js").FromWorker} message
   */
  #receive(lane, message) {
    if (message.kind === "crashed") return this.#crashed(lane);
    if (message.kind === "ready") return this.#becomeReady(lane);
    if (message.kind === "needs") return void this.#bring(lane, message.name);
    if (message.kind === "rest") return this.#finish(lane, message.id, JSON.parse(message.json));
    const { request } = lane;
    if (request?.id !== message.id) return;
    if (message.kind === "step") return void request.ways.onStep?.(message.step);
    lane.request = undefined;
    if (message.kind === "video")
      void this.#videos.hash(request.file, request.ways).then(request.done, request.failed);
    if (message.kind === "missing")
      request.failed(new DoorError("decoder-missing", "a part of the page is missing"));
    if (message.kind === "unreadable")
      request.failed(new DoorError("unreadable-file", "the browser cannot read this file"));
    if (message.kind === "result")
      this.#hashed(lane, request, JSON.parse(message.json), message.moving === true);
    this.#share();
  }

  /**
   * @param {Lane} lane
   * @param {Request} request
   * @param {any} answer
   * @param {boolean} moving whether it may have frames as well
   */
  #hashed(lane, request, answer, moving) {
    if (answer.error) return this.#failed(request, answer.error);
    lane.rest.set(request.id, { request, hashed: answer, moving });
    request.ways.onHashed?.(answer);
    void this.#load(PHASH);
  }

  /**
   * Of a picture whose pixels cannot be had, the exact hashes; of what is no picture, nothing.
   *
   * @param {Request} request
   * @param {{ code: string, text: string }} fault
   */
  #failed(request, { code, text }) {
    if (!UNSEEN.has(code)) return request.failed(new DoorError(code, text));
    const done = (/** @type {Hashed} */ hashed) => request.done({ ...hashed, unseen: code });
    void this.#videos.exact(request.file, request.ways).then(done, request.failed);
  }

  /**
   * @param {Lane} lane
   * @param {number} id
   * @param {Hashed["signals"]} signals
   */
  #finish(lane, id, signals) {
    const found = lane.rest.get(id);
    lane.rest.delete(id);
    if (found) void this.#complete(found, signals);
  }

  /**
   * @param {import("./picture-worker.js").Waiting} waiting
   * @param {Hashed["signals"]} signals
   */
  async #complete({ request, hashed, moving }, signals) {
    try {
      const frames = moving ? await this.#videos.frames(request.file, hashed.orientation, request.ways) : [];
      request.done({ ...hashed, signals: [...hashed.signals, ...frames, ...signals] });
    } catch (fault) {
      request.failed(/** @type {DoorError} */ (fault));
    }
  }

  /** @param {Lane} lane */
  async #bringPhash(lane) {
    if (lane.phash || lane.rest.size === 0) return;
    lane.phash = true;
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    const packages = await Promise.race([this.#load(PHASH), late]);
    if (packages) return lane.send({ kind: "phash", packages });
    lane.phash = false;
    this.#finishAll(lane);
  }

  /**
   * Lets go of the pictures whose phash cannot be made: they are not held back for it.
   *
   * @param {Lane} lane
   */
  #finishAll(lane) {
    for (const id of [...lane.rest.keys()]) this.#finish(lane, id, []);
  }

  /**
   * @param {Lane} lane
   * @param {string} name
   */
  async #bring(lane, name) {
    lane.send({ kind: "later", name, content: await this.#load(name) });
  }

  /**
   * A file that is not part of the runtime, loaded once; nothing if it cannot be had, and then it is tried again.
   *
   * @param {string} name
   */
  #load(name) {
    const known = this.#later.get(name);
    if (known) return known;
    const loading = loadLater(name).catch(() => void this.#later.delete(name));
    this.#later.set(name, loading);
    return loading;
  }

  /** @param {Lane} lane */
  #becomeReady(lane) {
    lane.ready = true;
    this.#wasReady = true;
    this.#ready.resolve();
    this.#share();
  }

  /** @param {Request} request */
  #abort(request) {
    this.#waiting = this.#waiting.filter((other) => other !== request);
    for (const lane of this.#lanes) {
      lane.rest.delete(request.id);
      if (lane.request !== request) continue;
      lane.request = undefined;
      this.#replace(lane);
    }
    request.failed(new DoorError("aborted", "hashing was stopped"));
    this.#share();
  }

  /**
   * A worker is gone. The picture it was at is tried once more, alone; the second time it is to blame.
   *
   * @param {Lane} lane
   */
  #crashed(lane) {
    if (!this.#wasReady) return this.#fail(unavailable("the worker did not start"));
    const { request, ready } = lane;
    lane.request = undefined;
    if (!ready && this.#lanes.length === 1) return this.#fail(unavailable("the worker did not start again"));
    if (!ready) this.#most = 1;
    if (ready && !request) this.#finishAll(lane); // it died of phash
    if (request?.again)
      this.#failed(request, { code: "worker-crashed", text: "the picture could not be hashed" });
    else if (request) this.#waiting.unshift(Object.assign(request, { again: true }));
    this.#replace(lane);
    this.#share();
  }

  /**
   * A fresh worker from what is in memory. The pictures whose phash is lost begin anew.
   *
   * @param {Lane} lane
   */
  #replace(lane) {
    lane.close();
    this.#waiting.push(...[...lane.rest.values()].map(({ request }) => request));
    lane.rest.clear();
    this.#lanes = this.#lanes.filter((other) => other !== lane);
    if (this.#runtime && this.#lanes.length < this.#most) this.#addLane().start(this.#runtime);
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
