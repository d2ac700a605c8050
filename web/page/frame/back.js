/**
 * The Back button and gesture of a phone, inside the page. Where the browser has a `CloseWatcher` (Android's), that hears it and
 * leaves no entry in the history. Elsewhere one entry does, with nothing in it and the title of the page, whatever the screen:
 * a phone's browser does not ask before it leaves a page, and a case number would be gone. With a mouse the browser asks.
 */

/** @typedef {{ onclose: (() => void) | null, destroy: () => void }} CloseWatcher */

/** Absent in browsers other than Chromium's. @type {(new () => CloseWatcher) | undefined} */
const Watcher = /** @type {any} */ (globalThis).CloseWatcher;
/** What the entry holds: that it is one, or that the page was left quickly. */
const ENTRY = 1;
const LEFT = 2;
/** Going back one entry takes some milliseconds. */
const WAIT_MILLISECONDS = 250;

/**
 * @param {() => void} back what Back does
 * @returns {{ hear: (leads: boolean) => void, gone: () => Promise<unknown> }} `hear`: whether Back is the page's, or leaves the
 *   page as ever; `gone` resolves once no entry before the present one is the page's
 */
export function backButton(back) {
  const touch = matchMedia("(pointer: coarse)").matches;
  if (!touch) return { hear: () => {}, gone: async () => {} };
  return Watcher ? new Watched(Watcher, back) : new Entry(back);
}

/** Whether this entry of the history was left quickly: the one after the entry that Back leads to. */
export function wasLeft() {
  return history.state === LEFT;
}

class Watched {
  #Watcher;
  #back;
  /** @type {CloseWatcher | null} */
  #watcher = null;

  /**
   * @param {new () => CloseWatcher} Watcher
   * @param {() => void} back
   */
  constructor(Watcher, back) {
    this.#Watcher = Watcher;
    this.#back = back;
  }

  /** @param {boolean} leads */
  hear(leads) {
    if (leads && !this.#watcher) this.#watch();
    if (leads) return;
    this.#watcher?.destroy();
    this.#watcher = null;
  }

  async gone() {}

  #watch() {
    const watcher = new this.#Watcher();
    watcher.onclose = () => {
      this.#watcher = null;
      this.#back();
    };
    this.#watcher = watcher;
  }
}

class Entry {
  #back;
  #wanted = false;
  /** Whether there is an entry, here or ahead. */
  #made = history.state !== null;
  /** Whether the page itself goes back, to take the entry away. */
  #leaving = false;

  /** @param {() => void} back */
  constructor(back) {
    this.#back = back;
    addEventListener("popstate", () => this.#popped());
  }

  /** @param {boolean} leads */
  hear(leads) {
    this.#wanted = leads;
    if (this.#leaving || leads === isEntry()) return;
    if (leads) this.#push(ENTRY);
    else this.#remove();
  }

  /** What stays ahead, for "Forward", says that the page was left. */
  gone() {
    if (!this.#made || wasLeft()) return Promise.resolve();
    if (isEntry()) history.replaceState(LEFT, "");
    else this.#push(LEFT);
    this.#wanted = false;
    this.#remove();
    return new Promise((done) => {
      addEventListener("popstate", done, { once: true });
      setTimeout(done, WAIT_MILLISECONDS);
    });
  }

  /** @param {number} what it holds; it takes the place of any that is ahead */
  #push(what) {
    this.#made = true;
    history.pushState(what, "");
  }

  #remove() {
    this.#leaving = true;
    history.back();
  }

  #popped() {
    if (!this.#leaving && !isEntry()) return this.#back();
    this.#leaving = false;
    this.hear(this.#wanted);
  }
}

function isEntry() {
  return history.state === ENTRY;
}
