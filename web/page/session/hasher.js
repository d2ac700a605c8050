/** Has the chosen pictures hashed, and follows the progress of each. */
import { codeOf } from "./preparation.js";

/** Errors that are not the picture's: it goes back to `waiting`. */
const NOT_THE_PICTURE = new Set(["aborted", "runtime-unavailable", "unsupported-browser"]);
/** The stage of a picture after each step of the worker. @type {Record<string, import("./session.js").Stage>} */
const STAGES = { started: "opening", decoded: "making" };

/** Dispatches `change` whenever a picture changes. */
export class Hasher extends EventTarget {
  #session;
  #preparation;
  /** @type {AbortController | null} */
  #running = null;
  /** How many pictures were given to the door and have no answer yet. */
  #pending = 0;

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

  /** Whether every picture is done or has failed. */
  get finished() {
    return this.#session.pictures.every((picture) => picture.stage !== "waiting" && !isWorking(picture));
  }

  /** Hashes every waiting picture: the door gets all of them at once and queues them. */
  async run() {
    if (this.#running) return;
    const stop = new AbortController();
    this.#running = stop;
    const waiting = this.#session.pictures.filter((picture) => picture.stage === "waiting");
    await Promise.all(waiting.map((picture) => this.#hash(picture, stop.signal)));
    this.#end(stop);
  }

  /** Stops. Pictures that were being hashed go back to `waiting`. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    for (const picture of this.#session.pictures.filter(isWorking)) this.#reset(picture);
    this.#changed();
  }

  /** @param {import("./session.js").Picture} picture that failed, or has nothing but its exact hashes */
  retry(picture) {
    picture.stage = "waiting";
    delete picture.fault;
    delete picture.hashed;
    const running = this.#running;
    if (!running) return void this.run();
    this.#changed();
    void this.#hash(picture, running.signal).then(() => this.#end(running));
  }

  /** @param {AbortController} stop of the run, which ends with its last picture */
  #end(stop) {
    if (this.#running === stop && this.#pending === 0) this.#running = null;
    this.#changed();
  }

  /**
   * @param {import("./session.js").Picture} picture
   * @param {AbortSignal} signal
   */
  async #hash(picture, signal) {
    /** @param {import("./session.js").Stage} stage */
    const become = (stage) => {
      if (signal.aborted) return;
      picture.stage = stage;
      this.#changed();
    };
    /** @param {import("../../messages.d.ts").Hashed} hashed */
    const keep = (hashed, partial = false) => {
      if (signal.aborted || !this.#session.pictures.includes(picture)) return;
      picture.partial = partial;
      this.#session.hashed(picture, hashed);
      this.#changed();
    };
    delete picture.share;
    this.#pending += 1;
    try {
      const onStep = (/** @type {string} */ name) => STAGES[name] && become(STAGES[name]);
      const onShare = (/** @type {number} */ share) => {
        picture.share = share;
        become("making");
      };
      const onHashed = (/** @type {import("../../messages.d.ts").Hashed} */ hashed) => keep(hashed, true);
      keep(await this.#preparation.hash(picture.file, { signal, onStep, onShare, onHashed }));
    } catch (error) {
      const code = codeOf(error);
      if (signal.aborted) return;
      if (NOT_THE_PICTURE.has(code)) {
        this.#reset(picture);
        return this.#changed();
      }
      picture.fault = code;
      become("failed");
    } finally {
      this.#pending -= 1;
    }
  }

  /** @param {import("./session.js").Picture} picture to be hashed from the start */
  #reset(picture) {
    picture.stage = "waiting";
    delete picture.partial;
    delete picture.hashed;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {import("./session.js").Picture} picture */
function isWorking({ stage, partial }) {
  return stage === "opening" || stage === "making" || partial === true;
}
