/**
 * The Back button and gesture of Android, inside the page. An entry in the history would do it in every browser, but none can
 * be taken out again: it would lead to this page after "Leave quickly". A `CloseWatcher` leaves no entry.
 */

/** Absent in browsers other than Chromium's. @type {(new () => { onclose: (() => void) | null, destroy: () => void }) | undefined} */
const Watcher = /** @type {any} */ (globalThis).CloseWatcher;

export class BackButton {
  #back;
  /** @type {{ destroy: () => void } | null} */
  #watcher = null;

  /** @param {() => void} back what Back does */
  constructor(back) {
    this.#back = back;
  }

  /** @param {boolean} leads whether Back is the page's; else it leaves the page, as ever */
  hear(leads) {
    if (leads && !this.#watcher) this.#watch();
    if (leads) return;
    this.#watcher?.destroy();
    this.#watcher = null;
  }

  #watch() {
    // With a keyboard it would hear the Escape key, which means other things there.
    if (!Watcher || !matchMedia("(pointer: coarse)").matches) return;
    const watcher = new Watcher();
    watcher.onclose = () => {
      this.#watcher = null;
      this.#back();
    };
    this.#watcher = watcher;
  }
}
