/** What a hand does by mistake: a second tap that was meant for the screen before, a file dropped beside its place. */

/** The second tap of a double tap comes within this time. */
const SECOND_WITHIN_MILLISECONDS = 500;
/** And at this distance at most, in CSS pixels: a finger is no mouse. */
const SECOND_WITHIN_PIXELS = 30;

/** @typedef {{ time: number, x: number, y: number }} Tap */

/** Keeps the second tap of a double tap from pressing what the first one has brought up. */
export class SecondTaps {
  /** @type {Tap} */
  #first = { time: -Infinity, x: 0, y: 0 };
  #moved = false;

  constructor() {
    addEventListener("click", (event) => this.#hear(event), { capture: true });
  }

  /** Notes that another screen came up. */
  moved() {
    this.#moved = true;
  }

  /** @param {MouseEvent} event */
  #hear(event) {
    const tap = { time: event.timeStamp, x: event.clientX, y: event.clientY };
    if (this.#moved && isSecondTap(this.#first, tap, event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    this.#first = tap;
    this.#moved = false;
  }
}

/**
 * Whether a click is the second one of a double tap. A mouse's clicks are counted by the browser; taps of a finger are not
 * in all of them.
 *
 * @param {Tap} first
 * @param {Tap} tap
 * @param {{ detail: number, pointerType?: string }} event
 */
export function isSecondTap(first, tap, { detail, pointerType }) {
  if (detail > 1) return true;
  const near = Math.hypot(tap.x - first.x, tap.y - first.y) <= SECOND_WITHIN_PIXELS;
  return pointerType === "touch" && near && tap.time - first.time <= SECOND_WITHIN_MILLISECONDS;
}

/** Keeps the browser from opening a dropped file in the page's place. Text can be dropped into fields as ever. */
export function refuseFiles() {
  for (const type of /** @type {const} */ (["dragover", "drop"]))
    addEventListener(type, (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
}
