/** Takes the chosen pictures through the sealed workers. */
import { codeOf } from "./preparation.js";

/** Faults of the page, not of a picture: the picture waits. */
const NOT_THE_PICTURE = new Set(["aborted", "runtime-unavailable", "unsupported-browser"]);
/** What becomes of a picture at the worker's steps. @type {Record<string, import("./session.js").Stage>} */
const STAGES = { started: "opening", decoded: "making" };

/** Sends `change` at every step. */
export class Hasher extends EventTarget {
  #session;
  #preparation;
  /** @type {AbortController | null} */
  #running = null;
  /** How many pictures were handed over and have no answer. */
  #atWork = 0;

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

  /** Does every picture that waits: all are handed over, the workers take them in turn. */
  async run() {
    if (this.#running) return;
    const stop = new AbortController();
    this.#running = stop;
    const waiting = this.#session.pictures.filter((picture) => picture.stage === "waiting");
    await Promise.all(waiting.map((picture) => this.#hash(picture, stop.signal)));
    this.#rest(stop);
  }

  /** Stops. The pictures in work wait again. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    for (const picture of this.#session.pictures.filter(isWorking)) this.#wait(picture);
    this.#changed();
  }

  /** @param {import("./session.js").Picture} picture that failed, or has its exact hashes alone */
  retry(picture) {
    picture.stage = "waiting";
    delete picture.fault;
    delete picture.hashed;
    const running = this.#running;
    if (!running) return void this.run();
    this.#changed();
    void this.#hash(picture, running.signal).then(() => this.#rest(running));
  }

  /** @param {AbortController} stop of the run that may be over */
  #rest(stop) {
    if (this.#running === stop && this.#atWork === 0) this.#running = null;
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
    /** @param {import("../engine/door.js").Hashed} hashed */
    const keep = (hashed, partial = false) => {
      if (signal.aborted || !this.#session.pictures.includes(picture)) return;
      picture.partial = partial;
      this.#session.hashed(picture, hashed);
      this.#changed();
    };
    delete picture.share;
    this.#atWork += 1;
    try {
      const onStep = (/** @type {string} */ name) => STAGES[name] && become(STAGES[name]);
      const onShare = (/** @type {number} */ share) => {
        picture.share = share;
        become("making");
      };
      const onHashed = (/** @type {import("../engine/door.js").Hashed} */ hashed) => keep(hashed, true);
      keep(await this.#preparation.hash(picture.file, { signal, onStep, onShare, onHashed }));
    } catch (fault) {
      const code = codeOf(fault);
      if (signal.aborted) return;
      if (NOT_THE_PICTURE.has(code)) {
        this.#wait(picture);
        return this.#changed();
      }
      picture.fault = code;
      become("failed");
    } finally {
      this.#atWork -= 1;
    }
  }

  /** @param {import("./session.js").Picture} picture that begins anew */
  #wait(picture) {
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
