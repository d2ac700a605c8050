/** Takes videos through a sealed worker of their own, one after the other. It is started when the first one comes. */
import { DoorError } from "./door-error.js";
import { startWorker, VIDEO_WORKER } from "./workers.js";

/** @typedef {import("./door.js").Hashed} Hashed */
/** @typedef {import("./door.js").Ways} Ways */
/**
 * @typedef {{ kind: "share", id: number, share: number } | { kind: "result", id: number, json: string }
 *   | { kind: "unreadable", id: number } | { kind: "crashed" } | { kind: "alive" }} FromWorker
 * @typedef {{ kind: "hash" | "frameless" | "animation" | "exact", file: Blob, orientation?: number | undefined }} Wish
 */

/** Milliseconds between two looks at whether the worker is alive, and after how many without a sign it is not. */
const LOOK = 5000;
const MOST_LOOKS = 12;

export class Videos {
  /** @type {Worker | undefined} */
  #worker;
  /** @type {Promise<unknown>} the end of the videos so far */
  #turn = Promise.resolve();
  /** @type {((fault: DoorError) => void) | undefined} ends the video in work */
  #end;
  #nextId = 1;

  /**
   * Hashes one video; one of which the worker dies or gets stuck has its exact hashes alone. Aborting throws the worker
   * away, and with it all it had read.
   *
   * @param {Blob} file
   * @param {Ways} ways
   * @returns {Promise<Hashed>}
   */
  hash(file, ways) {
    return this.#queue({ kind: "hash", file }, ways).catch((fault) => {
      if (fault.code !== "worker-crashed") throw fault;
      return this.#queue({ kind: "frameless", file }, ways);
    });
  }

  /**
   * The exact hashes of a picture whose pixels cannot be had, of any size.
   *
   * @param {Blob} file
   * @param {Ways} ways
   * @returns {Promise<Hashed>}
   */
  exact(file, ways) {
    return this.#queue({ kind: "exact", file }, ways);
  }

  /**
   * @param {Wish} wish
   * @param {Ways} ways
   * @returns {Promise<Hashed>}
   */
  #queue(wish, ways) {
    const hashed = this.#turn.then(() => this.#hash(wish, ways));
    this.#turn = hashed.catch(() => {});
    return hashed;
  }

  /**
   * The signals of the frames of an animated picture: none where the browser cannot decode them.
   *
   * @param {Blob} file
   * @param {number | undefined} orientation of the picture
   * @param {Ways} ways
   * @returns {Promise<Hashed["signals"]>} rejects when it is aborted
   */
  async frames(file, orientation, ways) {
    const answer = await this.#queue({ kind: "animation", file, orientation }, ways).catch((fault) => {
      if (fault.code === "aborted") throw fault;
      return { signals: [] };
    });
    return answer.signals;
  }

  /** Ends the worker; what is still asked for is aborted. */
  close() {
    this.#stop(new DoorError("aborted", "the door is closed"));
  }

  /**
   * @param {Wish} wish
   * @param {Ways} ways
   * @returns {Promise<Hashed>}
   */
  #hash(wish, { signal, onShare }) {
    return new Promise((resolve, reject) => {
      let looks = 0;
      const watch = setInterval(() => (looks += 1) > MOST_LOOKS && this.#crashed(), LOOK);
      const stop = () => this.#stop(new DoorError("aborted", "hashing was stopped"));
      const leave = () => {
        clearInterval(watch);
        signal?.removeEventListener("abort", stop);
      };
      this.#end = (fault) => {
        leave();
        reject(fault);
      };
      if (signal?.aborted) return stop();
      signal?.addEventListener("abort", stop);
      const worker = (this.#worker ??= startWorker(VIDEO_WORKER));
      if (!worker)
        return this.#stop(new DoorError("unsupported-browser", "the browser lacks module workers"));
      const id = this.#nextId++;
      worker.onerror = () => this.#crashed();
      /** @param {MessageEvent<FromWorker>} event */
      worker.onmessage = ({ data }) => {
        looks = 0;
        if (data.kind === "crashed") return this.#crashed();
        if (data.kind === "alive" || data.id !== id) return;
        if (data.kind === "share") return void onShare?.(data.share);
        leave();
        if (data.kind === "unreadable")
          return reject(new DoorError("unreadable-file", "the browser cannot read this file"));
        const answer = JSON.parse(data.json);
        if (answer.error) reject(new DoorError(answer.error.code, answer.error.text));
        else resolve(answer);
      };
      worker.postMessage({ ...wish, id });
    });
  }

  #crashed() {
    this.#stop(new DoorError("worker-crashed", "the video could not be hashed"));
  }

  /** @param {DoorError} fault */
  #stop(fault) {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#end?.(fault);
  }
}
