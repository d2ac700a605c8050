/** The page's side of the protocol. It sees hashes, never bytes. */
import { doWork } from "./proof-of-work.js";

/** @typedef {{ type: string, value: string, quality?: number, variant?: string }} WireSignal */
/**
 * @typedef {object} PictureStatus
 * @property {number} blocked
 * @property {number} platforms
 * @property {string | null} first_blocked_at
 * @property {string | null} last_blocked_at
 * @property {number} [pending_review]
 * @property {number} [not_blocked]
 * @property {string | null} [withdrawn_at]
 */
/** @typedef {"received" | "active" | "withdrawn" | "expired"} CaseState */
/**
 * @typedef {object} CaseStatus
 * @property {string} number
 * @property {CaseState} state
 * @property {string} received_at
 * @property {string | null} withdrawn_at
 * @property {number} platforms
 * @property {PictureStatus[]} pictures
 * @property {string | null} [expires_at]
 * @property {boolean} [expires_soon]
 */
/** @typedef {{ signals: WireSignal[], kind?: "video", ai_made?: true }} WirePicture what has its default is left out */
/** @typedef {"was_minor"} AgeBand `minor` is the default, and left out */
/** @typedef {{ number: string, pin: string }} Ownership */
/** @typedef {{ body: string, headers: Record<string, string> }} Message */
/** @typedef {{ status: number, headers: Headers, text: string }} Answer */
/** @typedef {"offline" | "slow" | "busy" | "not-found" | "too-many" | "closed" | "refused"} FaultKind */

export const CASES = "/v1/cases";
const WORK_WANTED = "/v1/work";
/** The header that shows the registry the work it asked for. */
const WORK = "Takeback-Work";
/** Pictures in one message; the same as in the protocol. */
const MAX_PICTURES = 50;
/** Tries of one message at the price that the registry tells: it doubles at most six times. */
const MOST_TRIES = 7;
/** Bytes of one message: the protocol's 64 KiB, less some room. */
const MAX_BODY = 64_000;
/** A message is at most 64 KiB; a minute carries that over the slowest phone network there is. */
const ANSWER_WITHIN = 60_000;
const STATES = new Set(["received", "active", "withdrawn", "expired"]);

/** What went wrong between the page and the registry. `retryAfter` is in seconds. */
export class RegistryError extends Error {
  /**
   * @param {FaultKind} kind
   * @param {number} [retryAfter]
   */
  constructor(kind, retryAfter = 0) {
    super(kind);
    this.kind = kind;
    this.retryAfter = retryAfter;
  }

  /** Whether the same message may well get through later. */
  get passing() {
    return this.kind === "offline" || this.kind === "slow" || this.kind === "busy";
  }
}

/**
 * The messages that bring pictures, down to their last letter: what is shown is what is sent. The first opens a case or
 * adds to one; the rest, if it takes more than one, add.
 *
 * @param {WirePicture[]} pictures
 * @param {{ pin: string, makeKey: () => string, ageBand?: AgeBand | undefined }} ways
 * @returns {Message[]}
 */
export function messagesFor(pictures, { pin, makeKey, ageBand }) {
  return portions(pictures).map((portion) => ({
    body: JSON.stringify({ pictures: portion, ...(ageBand ? { age_band: ageBand } : {}) }),
    headers: { "Content-Type": "application/json", "Takeback-Pin": pin, "Idempotency-Key": makeKey() },
  }));
}

/**
 * Pictures in portions of which each fits into a message.
 *
 * @param {WirePicture[]} pictures
 */
function portions(pictures) {
  /** @type {WirePicture[][]} */
  const found = [];
  let size = 0;
  for (const picture of pictures) {
    const more = JSON.stringify(picture).length + 1;
    const last = found.at(-1);
    if (last && last.length < MAX_PICTURES && size + more <= MAX_BODY) {
      last.push(picture);
      size += more;
    } else {
      found.push([picture]);
      size = more;
    }
  }
  return found;
}

/**
 * How many pictures and signals there are, as the registry is told of them: each frame of a `vpdq` counts as one signal.
 *
 * @param {WirePicture[]} pictures
 */
function amountOf(pictures) {
  const all = pictures.flatMap(({ signals }) => signals);
  const frames = all.flatMap(({ type, value }) => (type === "vpdq" ? value.split(";").slice(1) : []));
  return `pictures=${pictures.length}&signals=${all.length + frames.length}`;
}

/** Speaks with the registry; each method is one request, and `persist` is what repeats one. */
export class Registry {
  #fetch;
  #within;

  /** @param {{ fetch?: typeof globalThis.fetch, within?: number }} [ways] `within` is in milliseconds */
  constructor({ fetch = (...request) => globalThis.fetch(...request), within = ANSWER_WITHIN } = {}) {
    this.#fetch = fetch;
    this.#within = within;
  }

  /**
   * Opens a case.
   *
   * @param {Message} message
   * @param {AbortSignal} signal
   */
  async open(message, signal) {
    return this.#status(await this.#bring(CASES, message, signal));
  }

  /**
   * Brings pictures. The registry may ask the computer for some work first, by how many they are, and for more when very
   * much comes: the price is told when the message is there.
   *
   * @param {string} path
   * @param {Message} message
   * @param {AbortSignal} signal
   */
  async #bring(path, { body, headers }, signal) {
    let asking = await this.#askForWork(body, headers, signal);
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const work = await this.#work(asking, signal);
      const response = await this.#ask(
        path,
        { method: "POST", headers: { ...headers, ...work }, body },
        signal,
      );
      if (response.status === 429 && !isWrongPin(response))
        throw new RegistryError("busy", seconds(response));
      if (response.status !== 428) return response;
      asking = response;
    }
    throw new RegistryError("busy");
  }

  /**
   * @param {string} body of the message
   * @param {Record<string, string>} headers of it
   * @param {AbortSignal} signal
   */
  async #askForWork(body, { "Idempotency-Key": key = "" }, signal) {
    const path = `${WORK_WANTED}?${amountOf(JSON.parse(body).pictures)}`;
    const response = await this.#ask(path, { headers: { "Idempotency-Key": key } }, signal);
    if (response.status !== 200) throw new RegistryError("busy", seconds(response));
    return response;
  }

  /**
   * Does the work that an answer asks for; gives the header that shows it.
   *
   * @param {Answer} answer
   * @param {AbortSignal} signal
   * @returns {Promise<Record<string, string>>}
   */
  async #work({ text }, signal) {
    /** @type {string | undefined} */
    let shown;
    try {
      const { work } = JSON.parse(text);
      if (work === null) return {};
      shown = await doWork(work, signal);
    } catch {
      signal.throwIfAborted();
      throw new RegistryError("offline"); // it is no answer of the registry
    }
    if (shown === undefined) throw new RegistryError("slow");
    return { [WORK]: shown };
  }

  /**
   * Adds pictures to a case.
   *
   * @param {string} number
   * @param {Message} message
   * @param {AbortSignal} signal
   */
  async add(number, message, signal) {
    return this.#status(await this.#bring(`${CASES}/${number}/pictures`, message, signal));
  }

  /**
   * @param {Ownership} ownership
   * @param {AbortSignal} signal
   */
  async read({ number, pin }, signal) {
    return this.#status(await this.#ask(`${CASES}/${number}`, { headers: { "Takeback-Pin": pin } }, signal));
  }

  /**
   * @param {Ownership} ownership
   * @param {number[]} positions of the pictures from 0, or none for the whole case
   * @param {AbortSignal} signal
   */
  async withdraw({ number, pin }, positions, signal) {
    const some = positions.length > 0;
    const request = {
      method: "POST",
      headers: { "Takeback-Pin": pin, ...(some ? { "Content-Type": "application/json" } : {}) },
      ...(some ? { body: JSON.stringify({ pictures: positions }) } : {}),
    };
    return this.#status(await this.#ask(`${CASES}/${number}/withdraw`, request, signal));
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   */
  async #ask(path, request, signal) {
    const stop = new AbortController();
    const abort = () => stop.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", abort);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stop.abort();
    }, this.#within);
    try {
      const response = await this.#fetch(path, { ...request, ...PRIVATELY, signal: stop.signal });
      return { status: response.status, headers: response.headers, text: await response.text() };
    } catch {
      signal.throwIfAborted();
      throw new RegistryError(late ? "slow" : "offline");
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /**
   * @param {Answer} response
   * @returns {CaseStatus}
   */
  #status(response) {
    const { status, headers, text } = response;
    if (status === 404 || isWrongPin(response)) throw new RegistryError("not-found");
    if (status === 429) throw new RegistryError("too-many", seconds({ headers }));
    if (status === 409 && text.includes(":case-closed")) throw new RegistryError("closed");
    if (status >= 500 || status === 408) throw new RegistryError("busy", seconds({ headers }));
    if (status !== 200 && status !== 201) throw new RegistryError("refused");
    return readStatus(text);
  }
}

/** @type {RequestInit} */
const PRIVATELY = {
  mode: "same-origin",
  credentials: "omit",
  cache: "no-store",
  redirect: "error",
  referrerPolicy: "no-referrer",
};

/**
 * Whether a PIN was wrong after too many others were: the right one opens its case at once, so there is no wait to tell.
 *
 * @param {Answer} answer
 */
function isWrongPin({ status, text }) {
  return status === 429 && text.includes(":too-many-guesses");
}

/**
 * @param {string} text
 * @returns {CaseStatus}
 * @throws {RegistryError} `offline` for anything that is not a case's status: a hotel's log-in page, say
 */
function readStatus(text) {
  try {
    const status = JSON.parse(text);
    const { number, state, pictures } = status;
    if (
      typeof number === "string" &&
      /^[0-9]{10}$/.test(number) &&
      STATES.has(state) &&
      Array.isArray(pictures)
    )
      return status;
  } catch {
    // falls through: it is no answer of the registry
  }
  throw new RegistryError("offline");
}

/** @param {{ headers: Headers }} response */
function seconds({ headers }) {
  return Math.max(0, Number.parseInt(headers.get("Retry-After") ?? "0", 10) || 0);
}
