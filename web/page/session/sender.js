/** Sends the prepared messages, and tries again until the registry has them. */
import { retry } from "../registry/retry.js";
import { RegistryError } from "../registry/client.js";

/**
 * @typedef {{ kind: "idle" } | { kind: "sending" } | { kind: "refused" } | { kind: "closed" } | { kind: "fault" } |
 *   { kind: "stopped" } |
 *   { kind: "waiting", cause: import("../registry/client.js").RegistryErrorKind, seconds: number }} Sending
 */

/**
 * Dispatches `change` whenever `state` changes, `accepted` once the registry has a message, and `sent` once it has all that
 * it takes.
 */
export class Sender extends EventTarget {
  /** @type {Sending} */
  state = { kind: "idle" };
  /** How many pictures the registry took at last, and how many are left in the list. */
  sent = { count: 0, left: 0 };
  #session;
  #registry;
  #stop = new AbortController();
  #wake = () => {};

  /**
   * @param {import("./session.js").Session} session
   * @param {import("../registry/client.js").Registry} registry
   */
  constructor(session, registry) {
    super();
    this.#session = session;
    this.#registry = registry;
  }

  get running() {
    return this.state.kind === "sending" || this.state.kind === "waiting";
  }

  /** Sends what the session has prepared. Starting again sends the same messages with the same PIN and keys. */
  async start() {
    if (this.running) return;
    const { signal } = (this.#stop = new AbortController());
    const outgoing = this.#session.prepare();
    try {
      for (const message of outgoing.messages.slice(outgoing.sent)) {
        const attempt = () => {
          this.#become({ kind: "sending" });
          const { number } = outgoing;
          return number === null
            ? this.#registry.open(message, signal)
            : this.#registry.add(number, message, signal);
        };
        this.#session.accept(await retry(attempt, this.#retryOptions(signal)));
        this.dispatchEvent(new Event("accepted"));
      }
      this.#finish();
    } catch (error) {
      if (signal.aborted) return;
      if (outgoing.sent > 0) this.#finish();
      else this.#become({ kind: endOf(error) });
    }
  }

  /** Everything was sent, or as much of it as the registry takes. */
  #finish() {
    this.sent = this.#session.finish();
    this.#become({ kind: "idle" });
    this.dispatchEvent(new Event("sent"));
  }

  /**
   * @param {AbortSignal} signal
   * @returns {import("../registry/retry.js").RetryOptions}
   */
  #retryOptions(signal) {
    return {
      signal,
      random: Math.random,
      wait: (seconds) => this.#wait(seconds),
      onWait: ({ kind: cause }, seconds) =>
        this.#become({ kind: "waiting", cause, seconds: Math.ceil(seconds) }),
    };
  }

  /** Ends the wait before the next try. */
  tryNow() {
    this.#wake();
  }

  /** Stops. The prepared messages stay, so that sending again does not open a second case. */
  stop() {
    if (!this.running) return;
    this.#stop.abort();
    this.#wake();
    this.#become({ kind: "stopped" });
    // Once there is a case, the person must see its number; the other pictures can be added to it later.
    if (this.#session.outgoing?.sent) this.#finish();
  }

  /** @param {number} seconds */
  #wait(seconds) {
    return new Promise((/** @type {(value?: undefined) => void} */ done) => {
      const timer = setTimeout(done, seconds * 1000);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  /** @param {Sending} state */
  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * What ends the sending: the registry's word, or a fault of the page or of the browser.
 *
 * @param {unknown} error
 */
function endOf(error) {
  if (!(error instanceof RegistryError)) globalThis.reportError?.(error); // a bug, which the console should show
  if (!(error instanceof RegistryError) || error.kind === "fault") return "fault";
  return error.kind === "closed" ? "closed" : "refused";
}
