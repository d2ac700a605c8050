/** The sealed worker for videos: one video at a time. It is started when the first video comes. */
import { DoorError } from "./door-error.js";
import { startWorker, VIDEO_WORKER } from "./workers.js";

/** @typedef {import("../../messages.d.ts").Hashed} Hashed */
/** @typedef {import("../../messages.d.ts").VideoRequest} VideoRequest */
/** @typedef {import("./door.js").HashOptions} HashOptions */

/** How often to check that the worker is alive; it says so every two seconds. */
const ALIVE_CHECK_MILLISECONDS = 5000;
/** After so many checks in a row without a message, the worker hangs. */
const MAX_SILENT_CHECKS = 12;
/** After so many checks in a row without progress, what decodes the frames has stalled, though the worker is alive. */
const MAX_STALLED_CHECKS = 36;

export class VideoWorker {
  /** @type {Worker | undefined} */
  #worker;
  /** Settles when all videos so far are done. @type {Promise<unknown>} */
  #queue = Promise.resolve();
  /** Rejects the video that is being hashed. @type {((error: DoorError) => void) | undefined} */
  #rejectCurrent;
  #nextId = 1;

  /**
   * Hashes one video; if the worker dies of it or hangs, gives its exact hashes alone. Aborting terminates the worker, and
   * with it all that it has read.
   *
   * @param {Blob} file
   * @param {HashOptions} options
   * @returns {Promise<Hashed>}
   * @throws {DoorError}
   */
  hash(file, options) {
    return this.#enqueue({ kind: "hash", file }, options).catch((error) => {
      if (error.code !== "worker-crashed") throw error;
      return this.#enqueue({ kind: "frameless", file }, options);
    });
  }

  /**
   * The exact hashes of a picture of any size that cannot be decoded.
   *
   * @param {Blob} file
   * @param {HashOptions} options
   * @returns {Promise<Hashed>}
   * @throws {DoorError}
   */
  exact(file, options) {
    return this.#enqueue({ kind: "exact", file }, options);
  }

  /**
   * The signals of the frames of an animated picture; none if the browser cannot decode them.
   *
   * @param {Blob} file
   * @param {number | undefined} orientation of the picture, as in `Hashed`
   * @param {HashOptions} options
   * @returns {Promise<Hashed["signals"]>}
   * @throws {DoorError} `aborted`, and no other
   */
  async frames(file, orientation, options) {
    const hashed = await this.#enqueue({ kind: "animation", file, orientation }, options).catch((error) => {
      if (error.code === "aborted") throw error;
      return { signals: [] };
    });
    return hashed.signals;
  }

  /** Terminates the worker and rejects the video in work with `aborted`. */
  close() {
    this.#stop(new DoorError("aborted", "the door is closed"));
  }

  /**
   * @param {VideoRequest} request
   * @param {HashOptions} options
   * @returns {Promise<Hashed>}
   */
  #enqueue(request, options) {
    const hashed = this.#queue.then(() => this.#process(request, options));
    this.#queue = hashed.catch(() => {});
    return hashed;
  }

  /**
   * Sends one request to the worker and settles with its answer.
   *
   * @param {VideoRequest} request
   * @param {HashOptions} options
   * @returns {Promise<Hashed>}
   */
  #process(request, { signal, onShare }) {
    return new Promise((resolve, reject) => {
      let silentChecks = 0;
      let stalledChecks = 0;
      const decodes = request.kind === "hash" || request.kind === "animation";
      const aliveCheck = setInterval(() => {
        silentChecks += 1;
        stalledChecks += 1;
        if (silentChecks > MAX_SILENT_CHECKS || (decodes && stalledChecks > MAX_STALLED_CHECKS))
          this.#crash();
      }, ALIVE_CHECK_MILLISECONDS);
      const abort = () => this.#stop(new DoorError("aborted", "hashing was stopped"));
      const cleanUp = () => {
        clearInterval(aliveCheck);
        signal?.removeEventListener("abort", abort);
      };
      this.#rejectCurrent = (error) => {
        cleanUp();
        reject(error);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort);
      const worker = (this.#worker ??= startWorker(VIDEO_WORKER));
      if (!worker)
        return this.#stop(new DoorError("unsupported-browser", "the browser lacks module workers"));
      const id = this.#nextId++;
      worker.onerror = () => this.#crash();
      /** @param {MessageEvent<import("../../messages.d.ts").FromVideoWorker>} event */
      worker.onmessage = ({ data }) => {
        silentChecks = 0;
        if (data.kind === "crashed") return this.#crash();
        if (data.kind === "alive" || data.id !== id) return;
        stalledChecks = 0;
        if (data.kind === "share") return void onShare?.(data.share);
        cleanUp();
        if (data.kind === "unreadable")
          return reject(new DoorError("unreadable-file", "the browser cannot read this file"));
        /** @type {Hashed | import("../../messages.d.ts").HashingFailed} */
        const answer = JSON.parse(data.json);
        if ("error" in answer) reject(new DoorError(answer.error.code, answer.error.text));
        else resolve(answer);
      };
      worker.postMessage({ ...request, id });
    });
  }

  #crash() {
    this.#stop(new DoorError("worker-crashed", "the video could not be hashed"));
  }

  /** @param {DoorError} error */
  #stop(error) {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#rejectCurrent?.(error);
  }
}
