/** The work that the registry asks for before a new case: altcha's, done here, and nobody has to see or solve anything. */
import { solveChallenge } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/web/pbkdf2";

/** Milliseconds after which the work is too old to be shown. */
const LONGEST = 300_000;

/**
 * Does the work, and gives what shows it; nothing if it took too long.
 *
 * @param {import("altcha-lib").Challenge} challenge
 * @param {AbortSignal} signal
 * @returns {Promise<string | undefined>}
 * @throws {Error} for what is no work that is known here, or the signal's reason
 */
export async function doWork(challenge, signal) {
  if (challenge.parameters.algorithm !== "PBKDF2/SHA-256") throw new Error("no work that is known here");
  const controller = new AbortController();
  const stop = () => controller.abort();
  signal.addEventListener("abort", stop);
  const solution = await solveChallenge({ challenge, controller, deriveKey, timeout: LONGEST });
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (!solution) return undefined;
  const { counter, derivedKey } = solution;
  return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
}
