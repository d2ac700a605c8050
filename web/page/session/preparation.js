/** Gets the device ready to hash: opens the door to the sealed workers, and tells screens how far it is. */
import { createDoor } from "../engine/door.js";

/** @typedef {{ kind: "loading", fraction: number } | { kind: "ready" } | { kind: "failed", code: string }} Readiness */

/** @typedef {ReturnType<typeof createDoor>} Door */

/** Errors after which a door is of no use any more; `start` opens another. */
const FATAL = new Set(["runtime-unavailable", "unsupported-browser"]);

/** How often the progress of loading is reported: redrawing costs a slow phone time. */
const PROGRESS_STEPS = 50;

/** Dispatches `change` whenever `state` changes. */
export class Preparation extends EventTarget {
  /** @type {Door | null} */
  #door = null;
  #expected = 0;

  /** @type {Readiness} */
  state = { kind: "loading", fraction: 0 };

  /** Whether the door was ready once: then it needs another worker and not another runtime. */
  #opened = false;

  /** Starts loading, unless it has started and not failed. */
  start() {
    if (this.#door && this.state.kind !== "failed") return;
    if (this.#door && this.#opened) return this.#door.restart();
    this.#become({ kind: "loading", fraction: 0 });
    const door = createDoor({
      onProgress: ({ loaded, total }) => {
        const fraction = Math.floor((PROGRESS_STEPS * loaded) / total) / PROGRESS_STEPS;
        if (this.state.kind === "loading" && fraction > this.state.fraction)
          this.#become({ kind: "loading", fraction });
      },
      onAble: (able) => {
        if (this.#door !== door) return;
        this.#opened = true;
        if (!able) this.#become({ kind: "failed", code: "runtime-unavailable" });
        else if (this.state.kind !== "ready") this.#become({ kind: "ready" });
      },
    });
    this.#door = door;
    door.expect(this.#expected);
    door.ready.catch((/** @type {unknown} */ error) => this.#fail(door, codeOf(error)));
  }

  /** Terminates the workers, and with them all that they have read; the runtime stays in memory. */
  forget() {
    this.#expected = 0;
    this.#door?.forget();
  }

  /**
   * Says how many pictures are about to come.
   *
   * @param {number} count
   */
  expect(count) {
    this.#expected = count;
    this.#door?.expect(count);
  }

  /** Resolves once the device is ready, or has failed to get ready. */
  async settled() {
    this.start();
    await this.#door?.ready.catch(() => {});
  }

  /**
   * Hands a picture to the worker.
   *
   * @param {File} file
   * @param {import("../engine/door.js").HashOptions} options
   * @throws {import("../engine/door-error.js").DoorError}
   */
  async hash(file, options) {
    this.start();
    const door = /** @type {Door} */ (this.#door);
    try {
      return await door.hash(file, options);
    } catch (error) {
      if (FATAL.has(codeOf(error))) this.#fail(door, codeOf(error));
      throw error;
    }
  }

  /** Terminates the workers, and with them all that they have read. */
  close() {
    this.#door?.close();
    this.#door = null;
    this.#expected = 0;
    this.#opened = false;
    this.state = { kind: "loading", fraction: 0 };
  }

  /**
   * @param {Door} door that failed; ignored if it has been replaced
   * @param {string} code
   */
  #fail(door, code) {
    if (this.#door !== door) return;
    this.#opened = false;
    this.#become({ kind: "failed", code });
  }

  /** @param {Readiness} state */
  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * The code of a `DoorError`; of any other error, that of a crash.
 *
 * @param {unknown} error
 */
export function codeOf(error) {
  return error instanceof Error && "code" in error ? String(error.code) : "worker-crashed";
}
