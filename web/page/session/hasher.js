/** Has the chosen pictures hashed, and follows the progress of each. */
import { codeOf } from "./preparation.js";

/** Errors that are not the picture's: it goes back to `waiting`. */
const NOT_THE_PICTURE = new Set(["aborted", "runtime-unavailable", "unsupported-browser"]);
/** The stage of a picture after each step of the worker. @type {Record<string, import("./session.js").Stage>} */
const STAGES = { started: "opening", decoded: "making" };

/** Dispatches `change` whenever a picture changes, and `ended` when nothing is being hashed any more. */
export class Hasher extends EventTarget {
  #session;
  #preparation;
  /** @type {AbortController | null} */
  #running = null;
  /** The pictures that were given to the door and have no answer yet, by the run that gave them. @type {Map<import("./session.js").Picture, AbortSignal>} */
  #given = new Map();

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./preparation.js").Preparation} preparation
   */
  constructor(session, preparation) {
    super();
    this.#session = session;
    this.#preparation = preparation;
  }

  /** Whether every picture is done or has failed. */
  get finished() {
    return this.left === 0;
  }

  /** How many pictures are not over yet. */
  get left() {
    return this.#session.pictures.filter((picture) => isWaiting(picture) || isWorking(picture)).length;
  }

  /** Hashes every waiting picture that it does not have yet: the door gets all of them at once and queues them. */
  async run() {
    const stop = (this.#running ??= new AbortController());
    const waiting = this.#session.pictures.filter(
      (picture) => isWaiting(picture) && !this.#given.has(picture),
    );
    await Promise.all(waiting.map((picture) => this.#hash(picture, stop.signal)));
    if (this.#running !== stop || this.#given.size > 0) return;
    this.#running = null;
    this.#changed();
    this.dispatchEvent(new Event("ended"));
  }

  /** Stops. Pictures that were being hashed go back to `waiting`. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#given.clear();
    for (const picture of this.#session.pictures.filter(isWorking)) this.#reset(picture);
    this.#changed();
  }

  /** @param {import("./session.js").Picture} picture that failed, or has nothing but its exact hashes, to be hashed anew */
  renew(picture) {
    delete picture.fault;
    this.#reset(picture);
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
    this.#given.set(picture, signal);
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
      if (this.#given.get(picture) === signal) this.#given.delete(picture);
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

/** @param {import("./session.js").Picture} picture */
function isWaiting({ stage }) {
  return stage === "waiting";
}
