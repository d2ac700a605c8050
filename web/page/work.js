/** The work that the registry asks for before a new case: altcha's, done here, and nobody has to see or solve anything. */
import { solveChallenge } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/web/pbkdf2";
import { RegistryError } from "./registry.js";

/** Milliseconds after which the work is too old to be shown. */
const LONGEST = 300_000;

/**
 * Does the work of an answer, and gives what shows it; nothing if there is none to do.
 *
 * @param {string} answer
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 * @throws {RegistryError} `offline` for what is no answer of the registry, `slow` if the work took too long
 */
export async function doWork(answer, signal) {
  const challenge = read(answer);
  if (!challenge) return "";
  const controller = new AbortController();
  const stop = () => controller.abort();
  signal.addEventListener("abort", stop);
  const solution = await solveChallenge({ challenge, controller, deriveKey, timeout: LONGEST }).catch(() => {
    throw new RegistryError("offline");
  });
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (!solution) throw new RegistryError("slow");
  const { counter, derivedKey } = solution;
  return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
}

/**
 * @param {string} answer
 * @returns {import("altcha-lib").Challenge | null}
 */
function read(answer) {
  try {
    const { work } = JSON.parse(answer);
    if (work === null || work.parameters.algorithm === "PBKDF2/SHA-256") return work;
  } catch {
    // falls through: it is no answer of the registry
  }
  throw new RegistryError("offline");
}
