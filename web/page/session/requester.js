/** Asks the registry about a case: looks it up, refreshes it, withdraws. One question at a time. */

/** @typedef {import("../registry/client.js").Ownership} Ownership */
/** @typedef {import("../registry/client.js").CaseStatus} CaseStatus */

/**
 * Dispatches `answered` when the session has the registry's answer, `unanswered` when there is an `error` instead, and `listed`
 * when it is known which platforms take part, or that there is no answer.
 */
export class Requester extends EventTarget {
  /** Why the last question has no answer. @type {unknown} */
  error = null;
  #session;
  #registry;
  #stop = new AbortController();
  #listing = new AbortController();

  /**
   * @param {import("./session.js").Session} session
   * @param {import("../registry/client.js").Registry} registry
   */
  constructor(session, registry) {
    super();
    this.#session = session;
    this.#registry = registry;
  }

  /** @param {Ownership} ownership of the case to look up */
  look(ownership) {
    return this.#ask(ownership, (signal) => this.#registry.read(ownership, signal));
  }

  /** Asks how the case stands now. */
  refresh() {
    const ownership = this.#ownership();
    return this.#ask(ownership, (signal) => this.#registry.read(ownership, signal));
  }

  /** Withdraws the case, or the picture that the person chose. */
  withdraw() {
    const ownership = this.#ownership();
    const { withdrawing } = this.#session;
    const positions = withdrawing === null ? [] : [withdrawing];
    return this.#ask(ownership, (signal) => this.#registry.withdraw(ownership, positions, signal));
  }

  /** Asks which platforms take part; nobody waits for the answer, and without one the session has none. */
  async listPlatforms() {
    const { signal } = (this.#listing = new AbortController());
    const platforms = await this.#registry.platforms(signal).catch(() => null);
    if (signal.aborted) return;
    this.#session.platforms = platforms;
    this.dispatchEvent(new Event("listed"));
  }

  /** Drops every question. */
  stop() {
    this.abandon();
    this.#listing.abort();
  }

  /** Drops the question; nobody waits for its answer any more. */
  abandon() {
    this.#stop.abort();
  }

  /**
   * @param {Ownership} ownership
   * @param {(signal: AbortSignal) => Promise<CaseStatus>} ask
   */
  async #ask(ownership, ask) {
    const { signal } = (this.#stop = new AbortController());
    this.error = null;
    try {
      const status = await ask(signal);
      if (signal.aborted) return;
      this.#session.owned = { pin: ownership.pin, status };
    } catch (error) {
      if (signal.aborted) return;
      this.error = error;
    }
    this.dispatchEvent(new Event(this.error ? "unanswered" : "answered"));
  }

  #ownership() {
    const { owned } = this.#session;
    return { number: owned?.status.number ?? "", pin: owned?.pin ?? "" };
  }
}
