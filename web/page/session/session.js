/** Everything that the page knows about the person. It is in memory and nowhere else. */
import { makeKey, makePin } from "../registry/secrets.js";
import { messagesFor } from "../registry/client.js";
import { isFilled } from "../content/notice.js";

/** @typedef {"waiting" | "opening" | "making" | "done" | "same" | "failed"} Stage */
/**
 * @typedef {object} Picture
 * @property {File} file read by a sealed worker and by nothing else
 * @property {Stage} stage
 * @property {number} [share] of a video that is being hashed: how much is done, from 0 to 1
 * @property {string} [fault] the code of the error
 * @property {number} [sameAs] of a duplicate: the number of the first one, from 1
 * @property {import("../../messages.d.ts").Hashed} [hashed]
 * @property {boolean} [partial] whether its phash is still being made
 */
/** @typedef {"now" | "then" | "child" | "helper" | "adult"} About whose picture it is; `helper`: of someone they help */
/**
 * @typedef {object} Outgoing
 * @property {string} pin
 * @property {import("../registry/client.js").Message[]} messages
 * @property {number} sent how many of the messages the registry has
 * @property {string | null} number of the case, once there is one
 * @property {Picture[]} pictures
 */

/** Below this quality a PDQ hash is not used for matching; the same as in `py/takeback/hashing/pdq.py`. */
export const MIN_PDQ_QUALITY = 50;

export class Session {
  constructor() {
    this.wipe();
  }

  /** Forgets everything. */
  wipe() {
    /** @type {Picture[]} */
    this.pictures = [];
    /** @type {About | null} */
    this.about = null;
    /** Whether the pictures were made or changed with AI. @type {boolean} */
    this.ai = false;
    /** Whether the pictures are added to the case in `owned`, as in the page's state. @type {boolean} */
    this.adding = false;
    /** The messages, from the moment that they are shown until they are sent. @type {Outgoing | null} */
    this.outgoing = null;
    /** @type {{ pin: string, status: import("../registry/client.js").CaseStatus } | null} */
    this.owned = null;
    /** What was typed to look up a case. @type {{ number: string, pin: string }} */
    this.typed = { number: "", pin: "" };
    /** The position of the picture to withdraw, from 0, or null for the whole case. @type {number | null} */
    this.withdrawing = null;
    /** The country that the person chose: an ISO 3166-1 code, `elsewhere`, or empty. @type {string} */
    this.country = "";
    /** The platform whose guide is open: a key of `platforms.js`, or `other`. @type {string} */
    this.platform = "other";
    /** What has left the device so far. @type {"nothing" | "asked" | "sent"} */
    this.gone = "nothing";
    /** Null until the registry has told. @type {import("../registry/client.js").Platforms | null} */
    this.platforms = null;
    /** What was typed into the form of the notice. It never leaves the device. @type {import("../content/notice.js").Answers | null} */
    this.answers = null;
  }

  /** Whether leaving now would lose something. */
  get unsaved() {
    return this.pictures.length > 0 || (this.answers !== null && isFilled(this.answers));
  }

  /**
   * Adds files that are not in the list yet.
   *
   * @param {File[]} files
   * @param {number} most
   * @returns {{ same: number, over: number }} how many were left out, and why
   */
  add(files, most) {
    const known = new Set(this.pictures.map(({ file }) => identity(file)));
    const fresh = files.filter((file) => known.size < known.add(identity(file)).size);
    const taken = fresh.slice(0, Math.max(0, most - this.pictures.length));
    this.pictures.push(...taken.map((file) => ({ file, stage: /** @type {const} */ ("waiting") })));
    this.outgoing = null;
    return { same: files.length - fresh.length, over: fresh.length - taken.length };
  }

  /** @param {Picture} picture */
  remove(picture) {
    this.pictures = this.pictures.filter((other) => other !== picture);
    this.outgoing = null;
    this.#markDuplicates();
  }

  /**
   * Stores the hashes of a picture. Pictures with the same hashes count once.
   *
   * @param {Picture} picture
   * @param {import("../../messages.d.ts").Hashed} hashed
   */
  hashed(picture, hashed) {
    picture.hashed = hashed;
    this.outgoing = null;
    this.#markDuplicates();
  }

  /** The pictures that will be sent. */
  get ready() {
    return this.pictures.filter((picture) => picture.stage === "done");
  }

  /** How many pictures came out in a way that the person should read about before they go on. */
  get remarks() {
    return this.pictures.filter((picture) => !isPlain(picture)).length;
  }

  /**
   * The messages, with a PIN and keys of their own. They stay the same until the pictures change, so that sending them
   * twice makes one case. Pictures that join a case go with its PIN.
   */
  prepare() {
    if (!this.outgoing) {
      const open = this.adding ? this.owned : null;
      const pin = open?.pin ?? makePin();
      const pictures = this.ready;
      const wire = pictures.flatMap(({ hashed }) => (hashed ? [this.#wire(hashed)] : []));
      const ageBand = this.about === "then" ? /** @type {const} */ ("was_minor") : undefined;
      const messages = messagesFor(wire, { pin, makeKey, ageBand });
      this.outgoing = { pin, messages, sent: 0, number: open?.status.number ?? null, pictures };
    }
    return this.outgoing;
  }

  /**
   * Notes that the registry has the next message. From the first on there is a case, and its number must not be lost.
   *
   * @param {import("../registry/client.js").CaseStatus} status the registry's answer
   */
  accept(status) {
    const { outgoing } = this;
    if (!outgoing) return;
    outgoing.sent += 1;
    outgoing.number = status.number;
    this.owned = { pin: outgoing.pin, status };
  }

  /**
   * Drops the pictures that were sent; the others stay in the list.
   *
   * @returns {{ count: number, left: number }} how many pictures were sent, and how many are left
   */
  finish() {
    const { outgoing } = this;
    const sent = (outgoing?.messages ?? []).slice(0, outgoing?.sent);
    const count = sent.reduce((sum, { body }) => sum + JSON.parse(body).pictures.length, 0);
    if (outgoing) {
      const left = new Set(outgoing.pictures.slice(count));
      this.pictures = this.pictures.filter((picture) => left.has(picture));
    }
    this.outgoing = null;
    return { count, left: this.pictures.length };
  }

  /**
   * A picture as the registry takes it.
   *
   * @param {import("../../messages.d.ts").Hashed} hashed
   * @returns {import("../registry/client.js").WirePicture}
   */
  #wire({ signals, kind }) {
    const video = kind === "video" || signals.some(({ type }) => type === "vpdq");
    return { signals, ...(video ? { kind: "video" } : {}), ...(this.ai ? { ai_made: true } : {}) };
  }

  #markDuplicates() {
    /** @type {Map<string, number>} */
    const seen = new Map();
    for (const [at, picture] of this.pictures.entries()) {
      if (!picture.hashed) continue;
      const exact = JSON.stringify(picture.hashed.signals.filter(({ type }) => type !== "phash"));
      const first = seen.get(exact);
      if (first === undefined) seen.set(exact, at + 1);
      picture.stage = first === undefined ? "done" : "same";
      if (first !== undefined) picture.sameAs = first;
    }
  }
}

/**
 * Whether there is nothing to say of a picture but that it is done.
 *
 * @param {Picture} picture
 */
function isPlain({ stage, hashed }) {
  if (stage !== "done" || !hashed) return false;
  const { quality, unseen, incomplete } = hashed;
  return !unseen && !incomplete && quality !== null && quality >= MIN_PDQ_QUALITY;
}

/**
 * The same for two files of the same name, size and date.
 *
 * @param {File} file
 */
function identity({ name, size, lastModified }) {
  return JSON.stringify([name, size, lastModified]);
}
