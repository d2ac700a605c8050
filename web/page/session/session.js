/** What the page knows of the person's work. It lives in memory and nowhere else. */
import { makeKey, makePin } from "../registry/secrets.js";
import { messagesFor } from "../registry/client.js";

/** @typedef {"waiting" | "opening" | "making" | "done" | "same" | "failed"} Stage */
/**
 * @typedef {object} Picture
 * @property {File} file handed to the sealed worker, and to nothing else
 * @property {Stage} stage
 * @property {number} [share] of a video in work: how much is done, from 0 to 1
 * @property {string} [fault] the code of what went wrong
 * @property {number} [sameAs] the number of the picture that it repeats
 * @property {import("../engine/door.js").Hashed} [hashed]
 * @property {boolean} [partial] whether its phash is still to come
 */
/** @typedef {"now" | "then" | "child" | "adult"} About whose picture it is */
/**
 * @typedef {object} Outgoing
 * @property {string} pin
 * @property {import("../registry/client.js").Message[]} messages
 * @property {number} sent how many of them the registry has
 * @property {string | null} number of the case that they add to, once there is one
 * @property {Picture[]} pictures
 */

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
    /** Whether the pictures join the case that is open. @type {boolean} */
    this.adding = false;
    /** What is to be sent, or partly was. @type {Outgoing | null} */
    this.outgoing = null;
    /** @type {{ pin: string, status: import("../registry/client.js").CaseStatus } | null} */
    this.owned = null;
    /** Whether the receipt is on the screen and not yet kept. @type {boolean} */
    this.unkept = false;
    /** A sentence for the next screen to begin with. @type {string} */
    this.notice = "";
    /** The picture to be withdrawn, from 0, or null for the case. @type {number | null} */
    this.withdrawing = null;
    /** The country that the person chose: ISO 3166-1, `elsewhere`, or nothing. @type {string} */
    this.country = "";
    /** The platform whose guide is open: a key of `platforms.js`, or `other`. @type {string} */
    this.platform = "other";
    /** What was typed into the notice. It never leaves the device. @type {import("../content/notice.js").Answers | null} */
    this.answers = null;
  }

  /** Whether leaving now would lose work. */
  get unsaved() {
    return this.unkept || this.pictures.length > 0;
  }

  /**
   * Adds files that are not in the list yet.
   *
   * @param {File[]} files
   * @param {number} most
   * @returns {{ same: number, over: number }} how many were left out, and why
   */
  add(files, most) {
    const fresh = files.filter((file, at) => {
      const before = [...this.pictures.map((picture) => picture.file), ...files.slice(0, at)];
      return !before.some((other) => alike(other, file));
    });
    const taken = fresh.slice(0, Math.max(0, most - this.pictures.length));
    this.pictures.push(...taken.map((file) => ({ file, stage: /** @type {const} */ ("waiting") })));
    this.outgoing = null;
    return { same: files.length - fresh.length, over: fresh.length - taken.length };
  }

  /** @param {Picture} picture */
  remove(picture) {
    this.pictures = this.pictures.filter((other) => other !== picture);
    this.outgoing = null;
    this.#refold();
  }

  /**
   * Keeps what the worker made of a picture. A file that was chosen twice counts once.
   *
   * @param {Picture} picture
   * @param {import("../engine/door.js").Hashed} hashed
   */
  hashed(picture, hashed) {
    picture.hashed = hashed;
    this.outgoing = null;
    this.#refold();
  }

  /** The pictures that will be sent. */
  get ready() {
    return this.pictures.filter((picture) => picture.stage === "done");
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
    if (!this.adding) this.unkept = true;
  }

  /**
   * Lets go of what was sent; what was not stays in the list.
   *
   * @returns {number} how many pictures are left
   */
  finish() {
    const { outgoing } = this;
    if (outgoing) {
      const gone = outgoing.messages
        .slice(0, outgoing.sent)
        .map(({ body }) => JSON.parse(body).pictures.length);
      const count = gone.reduce((sum, more) => sum + more, 0);
      const left = new Set(outgoing.pictures.slice(count));
      this.pictures = this.pictures.filter((picture) => left.has(picture));
    }
    this.outgoing = null;
    return this.pictures.length;
  }

  /**
   * @param {import("../engine/door.js").Hashed} hashed
   * @returns {import("../registry/client.js").WirePicture}
   */
  #wire({ signals, kind }) {
    const video = kind === "video" || signals.some(({ type }) => type === "vpdq");
    return { signals, ...(video ? { kind: "video" } : {}), ...(this.ai ? { ai_made: true } : {}) };
  }

  #refold() {
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
 * Whether two files look the same from outside.
 *
 * @param {File} one
 * @param {File} other
 */
function alike(one, other) {
  return one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
}
