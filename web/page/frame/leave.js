/** Leaving quickly: covers the page at once, forgets everything and opens a harmless site in its place. */
import { clearSiteData, removeKept } from "../engine/keep.js";
import { say, spoken } from "../language/words.js";
import { harmlessPage } from "./harmless-pages.js";

/** So many presses of Shift in a row leave the page. */
const SHIFT_PRESSES = 3;
const SHIFT_WITHIN_MILLISECONDS = 5000;
/** How long the covered page waits for the kept program to be removed; that takes a few milliseconds. */
const REMOVAL_WAIT_MILLISECONDS = 500;

/**
 * Has the page forget everything when it is left in any way.
 *
 * @param {object} options
 * @param {() => void} options.forget drops every secret and terminates the workers
 * @param {() => void} options.restart shows the first screen of a page that the browser's back-forward cache brings back
 * @param {(text: string) => void} options.announce has a screen reader say something
 * @param {() => boolean} options.isKept whether the program is kept on the device and has to be removed first
 * @param {() => Promise<unknown>} options.unstack takes the page's own entry out of the history
 * @returns {() => void} leaves at once
 */
export function installLeave({ forget, restart, announce, isKept, unstack }) {
  let left = false;

  function clear() {
    document.body.replaceChildren();
    document.title = "";
    forget();
  }

  function leave() {
    left = true;
    clear();
    clearSiteData();
    const removed = removeKept().catch(() => {});
    const late = new Promise((resolve) => setTimeout(resolve, REMOVAL_WAIT_MILLISECONDS));
    // It replaces this page in the history, so that Back does not lead here.
    void Promise.all([unstack(), isKept() && Promise.race([removed, late])]).then(() =>
      location.replace(harmlessPage(spoken.code)),
    );
  }

  leaveOnShift(leave, announce);
  addEventListener("pagehide", clear);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    if (left) location.replace(harmlessPage(spoken.code));
    else restart();
  });
  return leave;
}

/**
 * Leaves after three presses of Shift within five seconds and no other key in between.
 *
 * @param {() => void} leave
 * @param {(text: string) => void} announce
 */
function leaveOnShift(leave, announce) {
  /** Times of the presses so far. @type {number[]} */
  let presses = [];
  addEventListener("keydown", (event) => {
    if (event.repeat) return;
    const recent = presses.filter((at) => event.timeStamp - at < SHIFT_WITHIN_MILLISECONDS);
    presses = event.key === "Shift" ? [...recent, event.timeStamp] : [];
    if (presses.length >= SHIFT_PRESSES) leave();
    else if (presses.length > 0) announce(say("frame.shift", { count: SHIFT_PRESSES - presses.length }));
  });
}
