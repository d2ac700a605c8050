/** Leaving quickly: covers the page at once, forgets everything and opens a harmless site in its place. */
import { askToForget, drop } from "../engine/keep.js";
import { say } from "../language/words.js";

/** A page that anyone might have open. It replaces this one, so that Back does not lead here. */
export const HARMLESS = "https://www.bbc.com/weather";
const PRESSES = 3;
const WITHIN = 5000;
/** Milliseconds that the covered page waits until nothing is kept on the device; that takes a few. */
const AT_MOST = 500;

/**
 * @param {object} ways
 * @param {() => void} ways.forget drops every secret and ends the worker
 * @param {() => void} ways.restart shows the first screen, for a page that the browser kept and brought back
 * @param {(text: string) => void} ways.announce
 * @param {() => boolean} ways.isKept whether the program is on the device, and has to go first
 * @returns {() => void} leaves, now
 */
export function installExit({ forget, restart, announce, isKept }) {
  let left = false;

  function clear() {
    document.body.replaceChildren();
    document.title = "";
    forget();
  }

  function leave() {
    left = true;
    clear();
    askToForget();
    const gone = drop().catch(() => {});
    const go = () => location.replace(HARMLESS);
    if (!isKept()) return go();
    void Promise.race([gone, new Promise((resolve) => setTimeout(resolve, AT_MOST))]).then(go);
  }

  countPresses(leave, announce);
  addEventListener("pagehide", clear);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    if (left) location.replace(HARMLESS);
    else restart();
  });
  return leave;
}

/**
 * Shift three times within five seconds, and no other key in between.
 *
 * @param {() => void} leave
 * @param {(text: string) => void} announce
 */
function countPresses(leave, announce) {
  /** @type {number[]} */
  let presses = [];
  addEventListener("keydown", (event) => {
    if (event.repeat) return;
    const recent = presses.filter((at) => event.timeStamp - at < WITHIN);
    presses = event.key === "Shift" ? [...recent, event.timeStamp] : [];
    if (presses.length >= PRESSES) leave();
    else if (presses.length > 0) announce(say("frame.shift", { count: PRESSES - presses.length }));
  });
}
