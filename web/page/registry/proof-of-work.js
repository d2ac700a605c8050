/** Solves the proof of work (by altcha) that the registry may ask for before a message. The person sees nothing of it. */
import { solveChallenge } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/web/pbkdf2";

/** The registry takes no older solution. */
const MAX_MILLISECONDS = 300_000;

/**
 * The solution of a challenge, as the header `Takeback-Work` carries it; undefined if it took too long.
 *
 * @param {import("altcha-lib").Challenge} challenge
 * @param {AbortSignal} signal
 * @returns {Promise<string | undefined>}
 * @throws {Error} for an algorithm that is not supported
 * @throws {DOMException} the signal's reason
 */
export async function solve(challenge, signal) {
  if (challenge.parameters.algorithm !== "PBKDF2/SHA-256") throw new Error("the algorithm is not supported");
  const controller = new AbortController();
  const stop = () => controller.abort();
  signal.addEventListener("abort", stop);
  const solution = await solveChallenge({ challenge, controller, deriveKey, timeout: MAX_MILLISECONDS });
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (!solution) return undefined;
  const { counter, derivedKey } = solution;
  return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
}
