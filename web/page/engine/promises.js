/** What browsers lack of promises. */
import { DoorError } from "./door-error.js";

/**
 * @param {Promise<void>} promise
 * @param {AbortSignal | undefined} signal
 * @throws {DoorError} `aborted`
 */
export async function untilAborted(promise, signal) {
  const aborted = new DoorError("aborted", "hashing was stopped");
  if (signal?.aborted) throw aborted;
  const { promise: stop, reject } = /** @type {PromiseWithResolvers<void>} */ (withResolvers());
  const abort = () => reject(aborted);
  signal?.addEventListener("abort", abort);
  return Promise.race([promise, stop]).finally(() => signal?.removeEventListener("abort", abort));
}

/**
 * `Promise.withResolvers`, which browsers have only had since 2024.
 *
 * @template T
 * @returns {PromiseWithResolvers<T>}
 */
export function withResolvers() {
  /** @type {any} */
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
