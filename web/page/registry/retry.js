/** Tries a request again until it succeeds: when, and after how long. */

/** Before each further try; the last one repeats. */
const WAIT_SECONDS = [1, 2, 4, 8, 15, 30];
/** A wait is longer by up to this fraction, so that many pages do not come back at the same moment. */
const JITTER = 0.25;
/** A longer `Retry-After` is cut to this: nobody should wait for more than two minutes without seeing why. */
const MAX_WAIT_SECONDS = 120;

/**
 * Seconds to wait after a number of failed tries.
 *
 * @param {number} failures from 1
 * @param {number} random from 0 to 1
 * @param {number} [retryAfter] in seconds, from the registry
 */
export function waitAfter(failures, random, retryAfter = 0) {
  const own =
    (WAIT_SECONDS[Math.min(failures, WAIT_SECONDS.length) - 1] ?? MAX_WAIT_SECONDS) * (1 + JITTER * random);
  return Math.min(Math.max(own, retryAfter), MAX_WAIT_SECONDS);
}

/**
 * @typedef {object} RetryOptions
 * @property {(seconds: number) => Promise<void>} wait may resolve early, to try at once
 * @property {() => number} random from 0 to 1
 * @property {(error: import("./client.js").RegistryError, seconds: number) => void} onWait before each wait
 * @property {AbortSignal} signal
 */

/**
 * Calls `attempt` until it succeeds. Only temporary errors are tried again; all others are thrown.
 *
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {RetryOptions} options
 * @returns {Promise<T>}
 * @throws {import("./client.js").RegistryError | DOMException} a permanent error, or the signal's reason
 */
export async function retry(attempt, { wait, random, onWait, signal }) {
  for (let failures = 1; ; failures += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (thrown) {
      signal.throwIfAborted();
      const error = /** @type {import("./client.js").RegistryError} */ (thrown);
      if (!error.temporary) throw error;
      const seconds = waitAfter(failures, random(), error.retryAfter);
      onWait(error, seconds);
      await wait(seconds);
    }
  }
}
