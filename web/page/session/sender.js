/** Sends the message until the registry has it. */
import { persist } from "../registry/retry.js";
import { RegistryError } from "../registry/client.js";

/**
 * @typedef {{ kind: "idle" } | { kind: "sending" } | { kind: "refused" } | { kind: "closed" } | { kind: "stopped" } |
 *   { kind: "waiting", fault: import("../registry/client.js").FaultKind, seconds: number }} Sending
 */

/** Sends `change` whenever `state` changes, and `sent` once the registry has the case. */
export class Sender extends EventTarget {
  /** @type {Sending} */
  state = { kind: "idle" };
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

  /** Sends what the session has prepared. The same messages go out again with the same PIN and keys. */
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
        this.#session.accept(await persist(attempt, this.#ways(signal)));
      }
      this.#finish();
    } catch (fault) {
      if (signal.aborted) return;
      if (!(fault instanceof RegistryError)) throw fault;
      if (outgoing.sent > 0) this.#finish();
      else this.#become({ kind: fault.kind === "closed" ? "closed" : "refused" });
    }
  }

  /** All was sent, or all that could be. */
  #finish() {
    this.#session.finish();
    this.#become({ kind: "idle" });
    this.dispatchEvent(new Event("sent"));
  }

  /**
   * @param {AbortSignal} signal
   * @returns {import("../registry/retry.js").Ways}
   */
  #ways(signal) {
    return {
      signal,
      random: Math.random,
      wait: (seconds) => this.#wait(seconds),
      onWait: ({ kind: fault }, seconds) =>
        this.#become({ kind: "waiting", fault, seconds: Math.ceil(seconds) }),
    };
  }

  /** Tries now instead of later. */
  tryNow() {
    this.#wake();
  }

  /** Stops. What was prepared stays, so that sending again makes no second case. */
  stop() {
    if (!this.running) return;
    this.#stop.abort();
    this.#wake();
    this.#become({ kind: "stopped" });
    // Once there is a case, its number comes first; the rest can be added to it.
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
