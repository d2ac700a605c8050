/** Trying again until it works: when, and how long to wait. */

/** Seconds before each next try; the last one repeats. */
const WAITS = [1, 2, 4, 8, 15, 30];
/** A wait is stretched by up to this share, so that many pages do not come back at the same moment. */
const SPREAD = 0.25;
/** What the registry asks for is kept, up to this: nobody waits for longer than they can see a reason for. */
const LONGEST = 120;

/**
 * Seconds to wait after a number of failed tries.
 *
 * @param {number} failures from 1
 * @param {number} random from 0 to 1
 * @param {number} [asked] what the registry asked for, in seconds
 */
export function waitAfter(failures, random, asked = 0) {
  const own = (WAITS[Math.min(failures, WAITS.length) - 1] ?? LONGEST) * (1 + SPREAD * random);
  return Math.min(Math.max(own, asked), LONGEST);
}

/**
 * @typedef {object} Ways
 * @property {(seconds: number) => Promise<void>} wait ends early when the person asks to try now
 * @property {() => number} random from 0 to 1
 * @property {(fault: import("./client.js").RegistryError, seconds: number) => void} onWait before each wait
 * @property {AbortSignal} signal stops it all
 */

/**
 * Does `attempt` until it gives an answer. Only passing faults are tried again; the rest are thrown.
 *
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {Ways} ways
 * @returns {Promise<T>}
 * @throws {import("./client.js").RegistryError | DOMException} a lasting fault, or the signal's reason
 */
export async function persist(attempt, { wait, random, onWait, signal }) {
  for (let failures = 1; ; failures += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const fault = /** @type {import("./client.js").RegistryError} */ (error);
      if (!fault.passing) throw error;
      const seconds = waitAfter(failures, random(), fault.retryAfter);
      onWait(fault, seconds);
      await wait(seconds);
    }
  }
}
