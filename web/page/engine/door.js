/**
 * The one door to the sealed workers: a picture goes in, its hashes come out. It queues pictures, starts and replaces
 * workers, and aborts.
 */
import { DoorError, unavailable, unsupported } from "./door-error.js";
import { PictureWorker, SILENT, workersFor } from "./picture-worker.js";
import { untilAborted, withResolvers } from "./promises.js";
import { LaterFiles, loadRuntime } from "./runtime.js";
import { SECOND_PART } from "./second-part.js";
import { hasSimd } from "./support.js";
import { VideoWorker } from "./video-worker.js";

/** @typedef {import("../../messages.d.ts").Hashed} Hashed */
/**
 * @typedef {object} HashOptions
 * @property {AbortSignal} [signal] terminates the worker that is hashing the file
 * @property {(step: string) => unknown} [onStep] of a picture: `started`, `decoded`, `hashed`
 * @property {(share: number) => unknown} [onShare] of a video: how much is done, from 0 to 1
 * @property {(hashed: Hashed) => unknown} [onHashed] of a picture: all signals but phash, as soon as they are there
 */
/**
 * A picture that was asked for. `retried`: a worker died while hashing it, so it is tried once more, by itself.
 *
 * @typedef {{ id: number, file: Blob, options: HashOptions, retried: boolean, resolve: (hashed: Hashed) => void, reject: (error: DoorError) => void }} Request
 */

/** So many pictures may lack their phash before it is made, even while others wait. */
const MAX_UNFINISHED = 10;
/** How long to wait for numpy and imagehash once nothing else is left to do. */
const PHASH_WAIT_MILLISECONDS = 20_000;
const PHASH = "phash.zip";
/** After so long a worker that could not be started is tried again: its script is fetched from the network each time. */
const RESTART_MILLISECONDS = 5000;
/** Errors after which a picture still gets its exact hashes. */
const EXACT_ONLY = new Set(["damaged-picture", "picture-too-large", "worker-crashed"]);
/**
 * Opens the door: loads the runtime and starts the worker.
 *
 * @param {object} [options]
 * @param {(progress: import("./runtime.js").Progress) => void} [options.onProgress]
 * @param {(able: boolean) => void} [options.onAble] of a door that was ready: whether it has a worker, or waits until one can
 *   be started again; pictures stay in the queue
 */
export function createDoor({ onProgress = () => {}, onAble = () => {} } = {}) {
  return new Door(onProgress, onAble);
}

class Door {
  /** @type {import("./runtime.js").Runtime | undefined} */
  #runtime;
  /** @type {PictureWorker[]} */
  #workers = [];
  #maxWorkers = 2;
  /** How many pictures are about to come. */
  #expected = 0;
  /** Pictures that no worker has yet, oldest first. @type {Request[]} */
  #waiting = [];
  #later = new LaterFiles();
  #videos = new VideoWorker();
  #nextId = 1;
  #closed = false;
  #wasReady = false;
  /** @type {PromiseWithResolvers<void>} */
  #ready = withResolvers();

  /** Why nothing can be hashed any more. @type {DoorError | undefined} */
  #failure;
  #onAble;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restarting;

  /**
   * @param {(progress: import("./runtime.js").Progress) => void} onProgress
   * @param {(able: boolean) => void} onAble
   */
  constructor(onProgress, onAble) {
    this.#onAble = onAble;
    this.#ready.promise.catch(() => {}); // `hash` rejects with it too
    void this.#open(onProgress);
  }

  /** Resolves once a picture can be hashed at once; rejects with `DoorError` when that has become impossible. */
  get ready() {
    return this.#ready.promise;
  }

  /**
   * Hashes one picture or video. Aborting terminates the worker that has it, and with it all that it has read.
   *
   * @param {Blob} file
   * @param {HashOptions} [options]
   * @returns {Promise<Hashed>}
   * @throws {DoorError}
   */
  async hash(file, options = {}) {
    await untilAborted(this.#ready.promise, options.signal);
    if (this.#closed) throw this.#failure ?? new DoorError("aborted", "the door is closed");
    const { promise, resolve, reject } = /** @type {PromiseWithResolvers<Hashed>} */ (withResolvers());
    const request = { id: this.#nextId++, file, options, retried: false, resolve, reject };
    const abort = () => this.#abort(request);
    options.signal?.addEventListener("abort", abort);
    this.#waiting.push(request);
    this.#distribute();
    return promise.finally(() => options.signal?.removeEventListener("abort", abort));
  }

  /**
   * Says how many pictures are about to come. For many of them a second worker starts before the first one comes.
   *
   * @param {number} count
   */
  expect(count) {
    this.#expected = count;
    this.#distribute();
  }

  /** Starts a worker, if the door was ready once and has none: its script may be there again. */
  restart() {
    clearTimeout(this.#restarting);
    if (this.#runtime && this.#wasReady && this.#workers.length === 0) this.#addWorker().start(this.#runtime);
  }

  /** Terminates the workers, and with them all that they have read; a new one starts from the runtime in memory. */
  forget() {
    this.#expected = 0;
    if (!this.#runtime || !this.#wasReady) return;
    this.#drop();
    this.#addWorker().start(this.#runtime);
  }

  /** Terminates the workers and drops the runtime; every open request rejects with `aborted`. */
  close() {
    this.#closed = true;
    this.#runtime = undefined;
    this.#ready.reject(new DoorError("aborted", "the door is closed"));
    this.#drop();
  }

  /** Terminates the workers; every open request rejects with `aborted`. */
  #drop() {
    clearTimeout(this.#restarting);
    this.#videos.close();
    const closed = new DoorError("aborted", "the door is closed");
    for (const worker of this.#workers.splice(0)) {
      worker.close();
      for (const { request } of worker.unfinished.values()) request.reject(closed);
      worker.current?.reject(closed);
    }
    for (const request of this.#waiting.splice(0)) request.reject(closed);
  }

  /** @param {(progress: import("./runtime.js").Progress) => void} onProgress */
  async #open(onProgress) {
    try {
      if (!hasSimd()) throw unsupported();
      const first = this.#addWorker(); // its script loads alongside the files
      this.#runtime = await loadRuntime((progress) => this.#closed || onProgress(progress));
      if (this.#closed) return;
      first.start(this.#runtime);
      this.#distribute();
    } catch (error) {
      this.#fail(error instanceof DoorError ? error : unavailable(error));
    }
  }

  /** @throws {DoorError} in a browser without module workers */
  #addWorker() {
    const worker = new PictureWorker((from, message) => this.#receive(from, message));
    if (!worker.usable) throw unsupported();
    this.#workers.push(worker);
    return worker;
  }

  /** Gives each idle worker the next picture, or numpy and imagehash when none is left or many lack their phash. */
  #distribute() {
    if (this.#closed) return;
    const pictures = Math.max(this.#waiting.length, this.#expected);
    const wanted = Math.min(workersFor(pictures), this.#maxWorkers);
    if (this.#runtime && this.#workers.length < wanted) this.#addWorker().start(this.#runtime);
    for (const worker of this.#workers) {
      if (!worker.ready || worker.current) continue;
      const next = this.#next();
      if (next) worker.hash(next);
      if (!next || worker.unfinished.size >= MAX_UNFINISHED) void this.#sendPhash(worker);
    }
  }

  /** The next picture to hash; a retried one waits until no other is being hashed, and others wait for it. */
  #next() {
    const busy = this.#workers.flatMap(({ current }) => current ?? []);
    if (busy.some(({ retried }) => retried) || (busy.length && this.#waiting[0]?.retried)) return undefined;
    return this.#waiting.shift();
  }

  /**
   * @param {PictureWorker} worker
   * @param {import("../../messages.d.ts").FromPictureWorker} message
   */
  #receive(worker, message) {
    if (message.kind === "crashed") return this.#replaceCrashed(worker, message.text === SILENT);
    if (message.kind === "ready") return this.#markReady(worker);
    if (message.kind === "needs") return void this.#sendOptional(worker, message.name);
    if (message.kind === "rest") return this.#finish(worker, message.id, JSON.parse(message.json));
    const { current: request } = worker;
    if (request?.id !== message.id) return;
    if (message.kind === "step") return void request.options.onStep?.(message.step);
    worker.current = undefined;
    if (message.kind === "video")
      void this.#videos.hash(request.file, request.options).then(request.resolve, request.reject);
    if (message.kind === "missing")
      request.reject(new DoorError("decoder-missing", "a part of the page is missing"));
    if (message.kind === "unreadable")
      request.reject(new DoorError("unreadable-file", "the browser cannot read this file"));
    if (message.kind === "result")
      this.#receiveHashes(worker, request, JSON.parse(message.json), message.moving === true);
    this.#distribute();
  }

  /**
   * @param {PictureWorker} worker
   * @param {Request} request
   * @param {any} answer
   * @param {boolean} moving whether the video worker may find frames in it
   */
  #receiveHashes(worker, request, answer, moving) {
    if (answer.error) return this.#rejectOrHashExactly(request, answer.error);
    worker.unfinished.set(request.id, { request, hashed: answer, moving });
    request.options.onHashed?.(answer);
    void this.#later.load(PHASH);
  }

  /**
   * Settles a picture that could not be hashed: by its exact hashes if it is a picture that cannot be decoded.
   *
   * @param {Request} request
   * @param {{ code: string, text: string }} error
   */
  #rejectOrHashExactly(request, { code, text }) {
    if (!EXACT_ONLY.has(code)) return request.reject(new DoorError(code, text));
    const resolve = (/** @type {Hashed} */ hashed) => request.resolve({ ...hashed, unseen: code });
    void this.#videos.exact(request.file, request.options).then(resolve, request.reject);
  }

  /**
   * @param {PictureWorker} worker
   * @param {number} id
   * @param {Hashed["signals"]} signals
   */
  #finish(worker, id, signals) {
    const found = worker.unfinished.get(id);
    worker.unfinished.delete(id);
    if (found) void this.#complete(found, signals);
  }

  /**
   * @param {import("./picture-worker.js").Unfinished} unfinished
   * @param {Hashed["signals"]} signals
   */
  async #complete({ request, hashed, moving }, signals) {
    try {
      const frames = moving
        ? await this.#videos.frames(request.file, hashed.orientation, request.options)
        : [];
      // The local hashes of an animation are those of its frames, and not of the first one alone.
      const found = new Set(frames.map(({ type }) => type));
      const still = hashed.signals.filter(({ type }) => type !== "patches" || !found.has(type));
      request.resolve({ ...hashed, signals: [...still, ...frames, ...signals] });
    } catch (error) {
      request.reject(/** @type {DoorError} */ (error));
    }
  }

  /** Loads the second part of CPython while there is a connection, and after all else: it is hardly ever needed. */
  #loadSecondPart() {
    const isMissing = typeof this.#runtime?.second === "number";
    if (isMissing) void this.#later.load(SECOND_PART);
  }

  /** @param {PictureWorker} worker */
  async #sendPhash(worker) {
    if (worker.hasPhash || worker.unfinished.size === 0) return;
    worker.hasPhash = true;
    const late = new Promise((resolve) => setTimeout(resolve, PHASH_WAIT_MILLISECONDS));
    const packages = await Promise.race([this.#later.load(PHASH), late]);
    this.#loadSecondPart();
    if (packages) return worker.send({ kind: "phash", packages });
    worker.hasPhash = false;
    this.#giveUpPhash(worker);
  }

  /**
   * Finishes the pictures whose phash cannot be made without it.
   *
   * @param {PictureWorker} worker
   */
  #giveUpPhash(worker) {
    for (const id of [...worker.unfinished.keys()]) this.#finish(worker, id, []);
  }

  /**
   * @param {PictureWorker} worker
   * @param {string} name
   */
  async #sendOptional(worker, name) {
    const content = await this.#later.load(name);
    if (name !== SECOND_PART) worker.send({ kind: "later", name, content });
    else if (content) worker.fill(content);
    else this.#replaceStranded(worker);
  }

  /**
   * A worker waits for the second part of CPython, which cannot be had. Its picture can be tried again.
   *
   * @param {PictureWorker} worker
   */
  #replaceStranded(worker) {
    if (!this.#workers.includes(worker)) return;
    worker.current?.reject(new DoorError("decoder-missing", "a part of the page is missing"));
    worker.current = undefined;
    this.#replaceCrashed(worker);
  }

  /** @param {PictureWorker} worker */
  #markReady(worker) {
    worker.ready = true;
    this.#wasReady = true;
    this.#ready.resolve();
    this.#onAble(true);
    this.#distribute();
  }

  /** @param {Request} request */
  #abort(request) {
    this.#waiting = this.#waiting.filter((other) => other !== request);
    for (const worker of this.#workers) {
      worker.unfinished.delete(request.id);
      if (worker.current !== request) continue;
      worker.current = undefined;
      this.#replace(worker);
    }
    request.reject(new DoorError("aborted", "hashing was stopped"));
    this.#distribute();
  }

  /**
   * A worker died. The picture it was hashing is tried once more, by itself; if that kills a worker too, it is the cause. A
   * picture of which a worker said nothing for minutes is not tried again.
   *
   * @param {PictureWorker} worker
   * @param {boolean} [silent]
   */
  #replaceCrashed(worker, silent = false) {
    const { current: request, ready } = worker;
    worker.current = undefined;
    if (!ready && this.#workers.length === 1) {
      if (this.#wasReady) return this.#waitForWorker(worker);
      return this.#fail(unavailable("the worker did not start"));
    }
    if (!ready) this.#maxWorkers = 1;
    if (ready && !request) this.#giveUpPhash(worker); // it died while making a phash, or without a part of Python
    if (request && (request.retried || silent))
      this.#rejectOrHashExactly(request, { code: "worker-crashed", text: "the picture could not be hashed" });
    else if (request) this.#waiting.unshift(Object.assign(request, { retried: true }));
    this.#replace(worker);
    this.#distribute();
  }

  /**
   * The last worker could not be started again, as a rule because there is no network for its script. The runtime stays in
   * memory and the pictures in the queue until it can be.
   *
   * @param {PictureWorker} worker
   */
  #waitForWorker(worker) {
    worker.close();
    this.#workers = [];
    this.#onAble(false);
    this.#restarting = setTimeout(() => this.restart(), RESTART_MILLISECONDS);
  }

  /**
   * Starts another worker from the runtime in memory. The pictures whose phash died with the old one are hashed again.
   *
   * @param {PictureWorker} worker
   */
  #replace(worker) {
    worker.close();
    this.#waiting.push(...[...worker.unfinished.values()].map(({ request }) => request));
    worker.unfinished.clear();
    this.#workers = this.#workers.filter((other) => other !== worker);
    if (this.#runtime && this.#workers.length < this.#maxWorkers) this.#addWorker().start(this.#runtime);
  }

  /** @param {DoorError} error */
  #fail(error) {
    this.#failure = error;
    this.#ready.reject(error);
    this.close();
  }
}
