/** Takes the chosen pictures through the sealed worker, one after the other. */
import { codeOf } from "./preparation.js";

/** Faults of the page, not of a picture: the picture waits. */
const NOT_THE_PICTURE = new Set(["aborted", "runtime-unavailable", "unsupported-browser"]);
/** The worker's step after which a picture is open and its hashes are being made. */
const OPENED = "decoded";

/** Sends `change` at every step. */
export class Hasher extends EventTarget {
  #session;
  #preparation;
  /** @type {AbortController | null} */
  #running = null;

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./preparation.js").Preparation} preparation
   */
  constructor(session, preparation) {
    super();
    this.#session = session;
    this.#preparation = preparation;
  }

  get running() {
    return this.#running !== null;
  }

  /** Whether no picture is left to do. */
  get finished() {
    return this.#session.pictures.every((picture) => picture.stage !== "waiting" && !isWorking(picture));
  }

  /** Does every picture that waits. */
  async run() {
    if (this.#running) return;
    const stop = new AbortController();
    this.#running = stop;
    for (let next = this.#next(); next && !stop.signal.aborted; next = this.#next()) {
      if (!(await this.#hash(next, stop.signal))) break;
    }
    if (this.#running === stop) this.#running = null;
    this.#changed();
  }

  /** Stops. The picture in work waits again. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    for (const picture of this.#session.pictures.filter(isWorking)) picture.stage = "waiting";
    this.#changed();
  }

  /** @param {import("./session.js").Picture} picture that failed */
  retry(picture) {
    picture.stage = "waiting";
    delete picture.fault;
    void this.run();
  }

  #next() {
    return this.#session.pictures.find((picture) => picture.stage === "waiting");
  }

  /**
   * @param {import("./session.js").Picture} picture
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>} whether to go on with the rest
   */
  async #hash(picture, signal) {
    /** @param {import("./session.js").Stage} stage */
    const become = (stage) => {
      if (signal.aborted) return;
      picture.stage = stage;
      this.#changed();
    };
    delete picture.share;
    become("opening");
    try {
      const onStep = (/** @type {string} */ name) => name === OPENED && become("making");
      const onShare = (/** @type {number} */ share) => {
        picture.share = share;
        become("making");
      };
      const hashed = await this.#preparation.hash(picture.file, { signal, onStep, onShare });
      if (signal.aborted) return false;
      this.#session.hashed(picture, hashed);
      this.#changed();
      return true;
    } catch (fault) {
      const code = codeOf(fault);
      if (signal.aborted || NOT_THE_PICTURE.has(code)) {
        become("waiting");
        return false;
      }
      picture.fault = code;
      become("failed");
      return true;
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {import("./session.js").Picture} picture */
function isWorking(picture) {
  return picture.stage === "opening" || picture.stage === "making";
}
