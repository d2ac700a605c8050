/** Gets the device ready: starts the sealed worker and follows it, for every screen that asks. */
import { createDoor } from "../engine/door.js";

/** @typedef {{ kind: "loading", fraction: number } | { kind: "ready" } | { kind: "failed", code: string }} Readiness */

/** @typedef {ReturnType<typeof createDoor>} Door */

/** Faults after which a door stays shut; `start` opens another. */
const LASTING = new Set(["runtime-unavailable", "unsupported-browser"]);

/** How often the loading tells how far it is: a slow phone has enough to do. */
const STEPS = 50;

/** Sends `change` whenever `state` changes. */
export class Preparation extends EventTarget {
  /** @type {Door | null} */
  #door = null;

  /** @type {Readiness} */
  state = { kind: "loading", fraction: 0 };

  /** Starts loading, once; after a failure, again. */
  start() {
    if (this.#door && this.state.kind !== "failed") return;
    this.#become({ kind: "loading", fraction: 0 });
    const door = createDoor({
      onProgress: ({ loaded, total }) => {
        const fraction = Math.floor((STEPS * loaded) / total) / STEPS;
        if (this.state.kind === "loading" && fraction > this.state.fraction)
          this.#become({ kind: "loading", fraction });
      },
    });
    this.#door = door;
    door.ready.then(
      () => this.#door === door && this.#become({ kind: "ready" }),
      (/** @type {unknown} */ fault) => this.#fail(door, codeOf(fault)),
    );
  }

  /** Ends once the device is ready, or it has turned out that it cannot be. */
  async settled() {
    this.start();
    await this.#door?.ready.catch(() => {});
  }

  /**
   * Hands a picture to the worker.
   *
   * @param {File} file
   * @param {import("../engine/door.js").Ways} ways
   * @throws {import("../engine/door-error.js").DoorError}
   */
  async hash(file, ways) {
    this.start();
    const door = /** @type {Door} */ (this.#door);
    try {
      return await door.hash(file, ways);
    } catch (fault) {
      if (LASTING.has(codeOf(fault))) this.#fail(door, codeOf(fault));
      throw fault;
    }
  }

  /** Ends the worker and all it holds. */
  close() {
    this.#door?.close();
    this.#door = null;
    this.state = { kind: "loading", fraction: 0 };
  }

  /**
   * @param {Door} door that gave up; a later one is not blamed
   * @param {string} code
   */
  #fail(door, code) {
    if (this.#door === door) this.#become({ kind: "failed", code });
  }

  /** @param {Readiness} state */
  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * The code of a door's error.
 *
 * @param {unknown} fault
 */
export function codeOf(fault) {
  return fault instanceof Error && "code" in fault ? String(fault.code) : "worker-crashed";
}
