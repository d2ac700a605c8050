/** Asks the registry about a case: looks it up, refreshes it, withdraws. One question at a time. */

/** @typedef {import("../registry/client.js").Ownership} Ownership */
/** @typedef {import("../registry/client.js").CaseStatus} CaseStatus */

/** Dispatches `answered` when the session has the registry's answer, and `unanswered` when there is an `error` instead. */
export class Requester extends EventTarget {
  /** Why the last question has no answer. @type {unknown} */
  error = null;
  #session;
  #registry;
  #stop = new AbortController();

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
