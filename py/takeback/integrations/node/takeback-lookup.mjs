/**
 * `RemoteGate`: asks a look-up service about uploads, for sites that cannot hold the list. Pictures stay here: what is
 * sent are the first five hex digits of a file's SHA-256, and then, unless that hash is listed, other fingerprints.
 *
 * It does what `RemoteGate` in Python does (py/takeback/lookup/remote.py). It needs Node 20, the npm package sharp, and
 * the other files of this folder.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { missing, plain, readUpload } from "./takeback-reading.mjs";

const MAX_ANSWER_BYTES = 8 << 20;
const PREFIX_DIGITS = 5;
const ACTIONS = ["allow", "review", "block"]; // by weight
const VERDICTS = ["blocked", "pending_review", "not_blocked"];
const ASKED = ["pdq", "vpdq", "phash", "patches"];
const SHA256 = /^[0-9a-f]{64}$/;
const SUFFIX = /^[0-9a-f]{59}$/;
const ID = /^[A-Za-z0-9_=-]{1,512}$/;
const KEY = /^tbl_[0-9a-f]{16}_[0-9a-f]{64}$/;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** @typedef {"allow" | "review" | "block"} Action */
/** @import { Hashed, Kind, Signal, Upload } from "./takeback-reading.mjs" */
/**
 * What to do with an upload. `id` is for feedback; it is empty if nothing was asked. `why` is a stable code for the
 * reason why it is unreadable; `notes` are for people. `isChecked` is false if the service was away: check it again.
 * @typedef {{ action: Action, id: string, kind: Kind, why: string, notes: string[], isChecked: boolean }} Decision
 */

/** The base of all errors here: `code` is stable. */
export class LookUpError extends Error {
  /** @param {string} code @param {string} text @param {ErrorOptions} [options] */
  constructor(code, text, options) {
    super(text, options);
    this.code = code;
    this.name = new.target.name;
  }
}
/** The service did not answer in time, or cannot decide now. The same question may be asked again. */
export class LookUpAway extends LookUpError {}
/** A question to ask later: `code` is `quota` or `too-alike`, `retryAfter` is in seconds. */
export class TooManyQuestions extends LookUpError {
  retryAfter = 60;
}
/** The service does not accept the site's key. */
export class KeyRefused extends LookUpError {}
/** A question or feedback that the service does not understand. */
export class InvalidMessage extends LookUpError {}
/** A setting or an argument that cannot be used. */
export class SettingsError extends LookUpError {
  /** @param {string} text */
  constructor(text) {
    super("settings", text);
  }
}

/** A gate whose list is at a look-up service. */
export class RemoteGate {
  #address;
  #key;
  #nameKey;
  #whenAway;
  #unreadable;
  #asksParts;
  #seconds;

  /**
   * @param {string} address the service's: https://HOST[:PORT]
   * @param {string} key the site's, from the service's operator
   * @param {{ whenAway?: "raise" | "allow" | "hold", unreadable?: "review" | "allow", asksParts?: boolean, seconds?: number }}
   *   [options] `whenAway`: throw, allow or ask for a review if the service is away; `unreadable`: the action for what
   *   cannot be hashed, and for videos; without `asksParts` no local hashes are sent, which tells less and finds less
   * @throws {SettingsError} if a value cannot be used, or a part of this client is missing
   */
  constructor(address, key, options = {}) {
    const { whenAway = "raise", unreadable = "review", asksParts = true, seconds = 20 } = options;
    checkAddress(address);
    if (!KEY.test(key))
      throw new SettingsError("the site's key is malformed: expected tbl_, 16 hex digits, _, 64 hex digits");
    if (!["raise", "allow", "hold"].includes(whenAway))
      throw new SettingsError("whenAway must be raise, allow or hold");
    if (!["review", "allow"].includes(unreadable))
      throw new SettingsError("unreadable must be review or allow");
    if (missing()) throw new SettingsError(missing());
    this.#address = address.replace(/\/+$/, "");
    this.#key = key;
    this.#whenAway = whenAway;
    this.#unreadable = unreadable;
    this.#asksParts = asksParts;
    this.#seconds = seconds;
    // So that the service never learns an account's name; the same after a restart, or it would count twice.
    this.#nameKey = createHmac("sha256", key).update("uploaders").digest();
  }

  /**
   * Opens the service that TAKEBACK_LOOKUP and TAKEBACK_LOOKUP_KEY name.
   * @param {ConstructorParameters<typeof RemoteGate>[2]} [options]
   */
  static open(options) {
    const { TAKEBACK_LOOKUP: address, TAKEBACK_LOOKUP_KEY: key } = process.env;
    if (!address || !key) throw new SettingsError("set TAKEBACK_LOOKUP and TAKEBACK_LOOKUP_KEY, both");
    return new RemoteGate(address, key, options);
  }

  /**
   * Decides on an upload.
   * @param {Upload} upload
   * @param {{ type?: string, uploader?: string }} [about] the media type that it came with, and any name that the site
   *   has for the uploading person, of which a keyed hash is sent
   * @returns {Promise<Decision>}
   * @throws {LookUpError} by `whenAway`; `KeyRefused` always
   */
  async check(upload, { type = "", uploader } = {}) {
    return this.#decide(await readUpload(upload, type), uploader);
  }

  /**
   * Decides on an upload that the site hashed. A SHA-256 is asked for by prefix, and an MD5 never.
   * @param {Signal[]} signals
   * @param {{ dihedral?: Record<string, string>, uploader?: string }} [about]
   * @returns {Promise<Decision>}
   */
  async checkSignals(signals, { dihedral = {}, uploader } = {}) {
    const sha256 = signals.find(({ type }) => type === "sha256")?.value ?? "";
    if (sha256 && !SHA256.test(sha256)) throw new SettingsError("a SHA-256 is 64 lower-case hex digits");
    const asked = signals.filter(({ type }) => ASKED.includes(type));
    return this.#decide({ ...plain("signals", sha256), signals: asked, dihedral }, uploader);
  }

  /**
   * Sends feedback of a decision, or of its id, within 30 days. Returns whether there was something to send.
   * @param {Decision | string} of
   * @param {"blocked" | "pending_review" | "not_blocked"} verdict
   * @param {{ confirmed?: boolean }} [about] whether a moderator has looked at the upload
   * @returns {Promise<boolean>}
   * @throws {LookUpError} `LookUpAway` and `TooManyQuestions` if it is to be sent again later
   */
  async feedback(of, verdict, { confirmed = false } = {}) {
    const id = typeof of === "string" ? of : of.id;
    if (!VERDICTS.includes(verdict))
      throw new SettingsError(`the verdict must be one of ${VERDICTS.join(", ")}`);
    if (!id) return false;
    await this.#ask("POST", "/v1/feedback", { id, verdict, confirmed });
    return true;
  }

  /** Returns why nothing can be decided now, or nothing; it asks one question. For the start of a server. */
  async trouble() {
    try {
      await this.#exact("0".repeat(64));
      return "";
    } catch (error) {
      if (error instanceof LookUpError) return error.message;
      throw error;
    }
  }

  /** @param {Hashed} read @param {string | undefined} uploader @returns {Promise<Decision>} */
  async #decide(read, uploader) {
    const isSure = ["picture", "not_media", "signals"].includes(read.kind) && !read.partly;
    const action = /** @type {Action} */ (isSure ? "allow" : this.#unreadable);
    const notes = notesOf(read);
    const start = { action, id: "", kind: read.kind, why: read.why, notes, isChecked: true };
    try {
      const exact = read.sha256 && read.kind !== "not_media" ? await this.#exact(read.sha256) : undefined;
      const found = exact ?? (read.signals.length ? await this.#asked(read, uploader) : undefined);
      return found ? { ...start, action: stronger(action, found.decision), id: found.id } : start;
    } catch (error) {
      if (!(error instanceof LookUpAway || error instanceof TooManyQuestions)) throw error;
      if (this.#whenAway === "raise") throw error;
      // Questions that are too alike are held in any case, or whoever causes that could get a picture past.
      const isHeld = this.#whenAway === "hold" || error.code === "too-alike";
      const least = isHeld ? "review" : "allow";
      return {
        ...start,
        action: stronger(action, least),
        notes: [...notes, `not checked: ${error.message}`],
        isChecked: false,
      };
    }
  }

  /** Asks for the suffixes of a prefix, and compares here. @param {string} sha256 */
  async #exact(sha256) {
    const { suffixes } = await this.#ask("GET", `/v1/sha256/${sha256.slice(0, PREFIX_DIGITS)}`);
    const wanted = Buffer.from(sha256.slice(PREFIX_DIGITS));
    if (!Array.isArray(suffixes) || !suffixes.every((one) => SUFFIX.test(one?.suffix) && isAnswer(one)))
      throw unclear();
    return suffixes.find(({ suffix }) => timingSafeEqual(Buffer.from(suffix), wanted));
  }

  /** @param {Hashed} read @param {string | undefined} uploader */
  async #asked({ signals, dihedral, patches }, uploader) {
    const name = uploader === undefined ? {} : { uploader: this.#named(uploader) };
    const parts = this.#asksParts && patches.length ? { patches } : {};
    const found = await this.#ask("POST", "/v1/check/signals", { signals, dihedral, ...parts, ...name });
    if (!isAnswer(found)) throw unclear();
    return found;
  }

  /** A keyed hash of an uploader's name. Node has no keyed BLAKE2, which Python uses. @param {string} uploader */
  #named(uploader) {
    return createHmac("sha256", this.#nameKey).update(uploader).digest("hex").slice(0, 16);
  }

  /** Sends a request and reads its answer. @param {string} method @param {string} path @param {object} [message] */
  async #ask(method, path, message) {
    const body = message ? { body: JSON.stringify(message) } : {};
    const kind = message ? { "Content-Type": "application/json" } : {};
    let answer, text;
    try {
      answer = await fetch(this.#address + path, {
        method,
        ...body,
        headers: { Authorization: `Bearer ${this.#key}`, ...kind },
        redirect: "error",
        signal: AbortSignal.timeout(this.#seconds * 1000),
      });
      text = await limited(answer);
    } catch (error) {
      if (error instanceof LookUpError) throw error;
      throw new LookUpAway("look-up-away", `the look-up service cannot be reached: ${reason(error)}`);
    }
    if (!answer.ok) throw refusal(answer, text);
    return parsed(text) ?? {};
  }
}

/** @param {unknown} error why `fetch` failed */
function reason(error) {
  const cause = /** @type {any} */ (error)?.cause ?? error;
  return String(cause?.code ?? cause?.message ?? "no reason given");
}

/** Reads an answer of at most `MAX_ANSWER_BYTES`. @param {Response} answer */
async function limited(answer) {
  const parts = [];
  let size = 0;
  for await (const part of answer.body ?? []) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES)
      throw new LookUpAway("look-up-away", "the look-up service gave an answer that is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** Our error for an answer that refuses. @param {Response} answer @param {string} text */
function refusal(answer, text) {
  const problem = parsed(text) ?? {};
  const code = String(problem.type ?? "")
    .split(":")
    .at(-1);
  const said = String(problem.detail ?? problem.title ?? `it answered ${answer.status}`);
  if ([401, 403].includes(answer.status))
    return new KeyRefused("key-refused", "the look-up service does not accept the site's key");
  if ([400, 413, 431].includes(answer.status)) return new InvalidMessage("invalid-message", said);
  if (answer.status !== 429)
    return new LookUpAway("look-up-away", `the look-up service cannot answer: ${said}`);
  const after = answer.headers.get("retry-after") ?? "";
  return Object.assign(new TooManyQuestions(code || "quota", said), {
    retryAfter: /^\d{1,8}$/.test(after) ? Number(after) : 60,
  });
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unclear() {
  return new LookUpAway("look-up-away", "the look-up service gave an answer that cannot be read");
}

/** @param {any} found @returns {found is { decision: Action, id: string }} */
function isAnswer(found) {
  return ACTIONS.includes(found?.decision) && ID.test(found.id);
}

/** @param {Action} one @param {Action} other @returns {Action} */
function stronger(one, other) {
  return ACTIONS.indexOf(one) < ACTIONS.indexOf(other) ? other : one;
}

/** @param {Hashed} read */
function notesOf({ kind, why, partly, signals }) {
  if (why) return [`${kind}: ${why}`];
  if (partly) return ["it is damaged, or has too many frames: only a part of it was asked for"];
  if (kind === "video") return ["of a video its SHA-256 alone was asked for"];
  return kind === "signals" && !signals.length ? ["no fingerprint but exact hashes"] : [];
}

/** @param {string} address */
function checkAddress(address) {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || /[@?#\s\\]/.test(address))
    throw new SettingsError("the look-up service's address is malformed: expected https://HOST[:PORT]");
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname))
    throw new SettingsError(
      "the look-up service's address must start with https://, or the key could be read in transit",
    );
}
