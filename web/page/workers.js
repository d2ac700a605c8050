/** The sealed workers: the only scripts of the page's that see a picture's bytes. */

/** What each is there for; their addresses are all that the page's policy lets become a worker. */
export const WORKER = "/worker.js";
export const VIDEO_WORKER = "/video.js";

/** @param {string} address */
const known = (address) => (address === VIDEO_WORKER ? VIDEO_WORKER : WORKER);

// @ts-expect-error: the types of the DOM do not know Trusted Types yet
const policy = globalThis.trustedTypes?.createPolicy("takeback", { createScriptURL: known });

/**
 * Starts one of the workers; nothing in a browser that does not know module workers.
 *
 * @param {typeof WORKER | typeof VIDEO_WORKER} address
 */
export function startWorker(address) {
  let modules = false;
  const ways = {
    get type() {
      modules = true; // only a browser that knows module workers asks
      return /** @type {const} */ ("module");
    },
  };
  const worker = new Worker(policy ? policy.createScriptURL(address) : address, ways);
  if (modules) return worker;
  worker.terminate();
  return undefined;
}
