/** The page's side of the protocol (PROTOCOL.md). It sees hashes, never the bytes of a file. */
import { solve } from "./proof-of-work.js";

/** @typedef {import("../../messages.d.ts").Signal} Signal */
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
 * @property {number} [small_sites]
 */
/** @typedef {{ names: string[], unnamed: number, sites: number }} Platforms those named, other ones, and small sites */
/** @typedef {{ signals: Signal[], kind?: "video", ai_made?: true }} WirePicture defaults are left out */
/** @typedef {"was_minor"} AgeBand left out for a minor */
/** @typedef {{ number: string, pin: string }} Ownership */
/** @typedef {{ body: string, headers: Record<string, string> }} Message */
/** @typedef {{ status: number, headers: Headers, text: string }} Answer */
/** @typedef {"offline" | "slow" | "busy" | "not-found" | "too-many" | "closed" | "refused" | "fault"} RegistryErrorKind */

export const CASES = "/v1/cases";
const CHALLENGES = "/v1/work";
const PLATFORMS = "/v1/platforms";
/** The header with the solution of the proof of work. */
const SOLUTION_HEADER = "Takeback-Work";
/** Per message, as in the protocol. */
const MAX_PICTURES = 50;
const PATCHES_PER_SIGNAL = 4;
/** How often one message is sent with a new proof of work: the price doubles at most six times. */
const MAX_TRIES = 7;
/** The protocol takes 64 KiB. */
const MAX_BODY_BYTES = 64_000;
/** Enough for 64 KiB over the slowest phone network. */
const TIMEOUT_MILLISECONDS = 60_000;
const STATES = new Set(["received", "active", "withdrawn", "expired"]);

/** Why a request failed. `retryAfter` is in seconds, 0 if the registry named none. */
export class RegistryError extends Error {
  /**
   * @param {RegistryErrorKind} kind
   * @param {number} [retryAfter]
   */
  constructor(kind, retryAfter = 0) {
    super(kind);
    this.kind = kind;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later. */
  get temporary() {
    return this.kind === "offline" || this.kind === "slow" || this.kind === "busy";
  }
}

/**
 * The messages that carry pictures, as they are shown and sent, letter for letter. The first opens a case or adds to one;
 * the others add to it.
 *
 * @param {WirePicture[]} pictures
 * @param {{ pin: string, makeKey: () => string, ageBand?: AgeBand | undefined }} options
 * @returns {Message[]}
 */
export function messagesFor(pictures, { pin, makeKey, ageBand }) {
  return batches(pictures).map((batch) => ({
    body: JSON.stringify({ pictures: batch, ...(ageBand ? { age_band: ageBand } : {}) }),
    headers: { "Content-Type": "application/json", "Takeback-Pin": pin, "Idempotency-Key": makeKey() },
  }));
}

/**
 * Pictures in batches, each of which fits into one message.
 *
 * @param {WirePicture[]} pictures
 */
function batches(pictures) {
  /** @type {WirePicture[][]} */
  const found = [];
  let size = 0;
  for (const picture of pictures) {
    const more = JSON.stringify(picture).length + 1;
    const last = found.at(-1);
    if (last && last.length < MAX_PICTURES && size + more <= MAX_BODY_BYTES) {
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
 * The query that tells the registry how much a message holds.
 *
 * @param {WirePicture[]} pictures
 */
function countsOf(pictures) {
  const counts = pictures.flatMap(({ signals }) => signals.map(countOf));
  return `pictures=${pictures.length}&signals=${counts.reduce((sum, count) => sum + count, 0)}`;
}

/**
 * How many signals one counts as, as in `signal_count` of `protocol.py`: each frame of a `vpdq` is one, and so are up to
 * four hashes of a `patches`.
 *
 * @param {Signal} signal
 */
function countOf({ type, value }) {
  if (type === "vpdq") return value.split(";").length;
  return type === "patches" ? Math.ceil(value.split(/[,;]/).length / PATCHES_PER_SIGNAL) : 1;
}

/** The registry over HTTP. Nothing is tried again here: `retry` does that. */
export class Registry {
  #fetch;
  #timeout;

  /** @param {{ fetch?: typeof globalThis.fetch, timeout?: number }} [options] `timeout` in milliseconds */
  constructor({ fetch = (...request) => globalThis.fetch(...request), timeout = TIMEOUT_MILLISECONDS } = {}) {
    this.#fetch = fetch;
    this.#timeout = timeout;
  }

  /**
   * Opens a case.
   *
   * @param {Message} message
   * @param {AbortSignal} signal
   * @throws {RegistryError}
   */
  async open(message, signal) {
    return this.#status(await this.#post(CASES, message, signal));
  }

  /**
   * Posts pictures with the proof of work that the registry asks for. Its price depends on how much the message holds, and
   * may have gone up by the time that the message arrives; the answer then carries the new challenge.
   *
   * @param {string} path
   * @param {Message} message
   * @param {AbortSignal} signal
   * @throws {RegistryError} `busy`, and those of `#request` and `#solve`
   */
  async #post(path, { body, headers }, signal) {
    let challenge = await this.#challenge(body, headers, signal);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const solution = await this.#solve(challenge, signal);
      const response = await this.#request(
        path,
        { method: "POST", headers: { ...headers, ...solution }, body },
        signal,
      );
      if (response.status === 429 && !isWrongPin(response))
        throw new RegistryError("busy", retryAfter(response));
      if (response.status !== 428) return response;
      challenge = response;
    }
    throw new RegistryError("busy");
  }

  /**
   * Asks for the proof of work that a message needs.
   *
   * @param {string} body of the message
   * @param {Record<string, string>} headers of it
   * @param {AbortSignal} signal
   * @throws {RegistryError} `busy`, and those of `#request`
   */
  async #challenge(body, { "Idempotency-Key": key = "" }, signal) {
    const path = `${CHALLENGES}?${countsOf(JSON.parse(body).pictures)}`;
    const response = await this.#request(path, { headers: { "Idempotency-Key": key } }, signal);
    if (response.status !== 200) throw new RegistryError("busy", retryAfter(response));
    return response;
  }

  /**
   * Solves the challenge in an answer; gives the header with the solution, or none if the answer asks for nothing.
   *
   * @param {Answer} answer
   * @param {AbortSignal} signal
   * @returns {Promise<Record<string, string>>}
   * @throws {RegistryError} `slow` if it took too long, `offline` for anything but a challenge, `fault` if this page cannot
   *   solve it
   */
  async #solve({ text }, signal) {
    const work = readWork(text);
    if (work === null) return {};
    const solution = await solve(work, signal).catch(() => {
      signal.throwIfAborted();
      throw new RegistryError("fault"); // for example, a page without TLS has no `crypto.subtle`
    });
    if (solution === undefined) throw new RegistryError("slow");
    return { [SOLUTION_HEADER]: solution };
  }

  /**
   * Adds pictures to a case.
   *
   * @param {string} number
   * @param {Message} message
   * @param {AbortSignal} signal
   * @throws {RegistryError}
   */
  async add(number, message, signal) {
    return this.#status(await this.#post(`${CASES}/${number}/pictures`, message, signal));
  }

  /**
   * The status of a case.
   *
   * @param {Ownership} ownership
   * @param {AbortSignal} signal
   * @throws {RegistryError}
   */
  async read({ number, pin }, signal) {
    return this.#status(
      await this.#request(`${CASES}/${number}`, { headers: { "Takeback-Pin": pin } }, signal),
    );
  }

  /**
   * Withdraws a case or some of its pictures.
   *
   * @param {Ownership} ownership
   * @param {number[]} positions of the pictures, from 0; empty for the whole case
   * @param {AbortSignal} signal
   * @throws {RegistryError}
   */
  async withdraw({ number, pin }, positions, signal) {
    const some = positions.length > 0;
    const request = {
      method: "POST",
      headers: { "Takeback-Pin": pin, ...(some ? { "Content-Type": "application/json" } : {}) },
      ...(some ? { body: JSON.stringify({ pictures: positions }) } : {}),
    };
    return this.#status(await this.#request(`${CASES}/${number}/withdraw`, request, signal));
  }

  /**
   * The platforms that take part: the names of those that may be named, and how many others and small sites.
   *
   * @param {AbortSignal} signal
   * @throws {RegistryError}
   */
  async platforms(signal) {
    const { status, text } = await this.#request(PLATFORMS, {}, signal);
    if (status !== 200) throw new RegistryError("busy");
    return readPlatforms(text);
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   * @throws {RegistryError} `slow`, `offline`, or `fault` for anything but a failure of the network
   * @throws {DOMException} the signal's reason
   */
  async #request(path, request, signal) {
    const stop = new AbortController();
    const abort = () => stop.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", abort);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stop.abort();
    }, this.#timeout);
    try {
      const response = await this.#fetch(path, { ...request, ...PRIVATE_REQUEST, signal: stop.signal });
      return { status: response.status, headers: response.headers, text: await response.text() };
    } catch (error) {
      signal.throwIfAborted();
      if (late) throw new RegistryError("slow");
      throw new RegistryError(isNetworkFailure(error) ? "offline" : "fault");
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /**
   * @param {Answer} response
   * @returns {CaseStatus}
   * @throws {RegistryError} for every other answer
   */
  #status(response) {
    const { status, headers, text } = response;
    if (status === 404 || isWrongPin(response)) throw new RegistryError("not-found");
    if (status === 429) throw new RegistryError("too-many", retryAfter({ headers }));
    if (status === 409 && text.includes(":case-closed")) throw new RegistryError("closed");
    if (status >= 500 || status === 408) throw new RegistryError("busy", retryAfter({ headers }));
    if (status !== 200 && status !== 201) throw new RegistryError("refused");
    return readStatus(text);
  }
}

/** @type {RequestInit} */
const PRIVATE_REQUEST = {
  mode: "same-origin",
  credentials: "omit",
  cache: "no-store",
  redirect: "error",
  referrerPolicy: "no-referrer",
};

/**
 * Whether the PIN was wrong, after too many wrong ones: the right one opens the case at once, so there is no wait to tell.
 *
 * @param {Answer} answer
 */
function isWrongPin({ status, text }) {
  return status === 429 && text.includes(":too-many-guesses");
}

/**
 * The challenge in an answer, or null if the registry asks for no work.
 *
 * @param {string} text
 * @returns {import("altcha-lib").Challenge | null}
 * @throws {RegistryError} `offline` for anything but a challenge, such as the log-in page of a hotel's network
 */
function readWork(text) {
  try {
    const { work } = JSON.parse(text);
    if (work === null || typeof work?.parameters === "object") return work;
  } catch {
    // not JSON: thrown below
  }
  throw new RegistryError("offline");
}

/**
 * What `fetch` throws without a network is a `TypeError`, and a `DOMException` if the connection ends in the middle.
 *
 * @param {unknown} error
 */
function isNetworkFailure(error) {
  return error instanceof TypeError || error instanceof DOMException;
}

/**
 * @param {string} text
 * @returns {CaseStatus}
 * @throws {RegistryError} `offline` for anything but a case's status, such as the log-in page of a hotel's network
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
    // not JSON: thrown below
  }
  throw new RegistryError("offline");
}

/**
 * @param {string} text
 * @returns {Platforms}
 * @throws {RegistryError} `offline` for anything else
 */
function readPlatforms(text) {
  try {
    const { platforms, unnamed, small_sites: sites = 0 } = JSON.parse(text);
    const named = Array.isArray(platforms) && platforms.every((name) => typeof name === "string");
    if (named && unnamed >= 0 && sites >= 0) return { names: platforms, unnamed, sites };
  } catch {
    // not JSON: thrown below
  }
  throw new RegistryError("offline");
}

/** @param {{ headers: Headers }} response */
function retryAfter({ headers }) {
  return Math.max(0, Number.parseInt(headers.get("Retry-After") ?? "0", 10) || 0);
}
