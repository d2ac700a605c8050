/** The page's workers: the sealed ones, the only scripts that see a picture's bytes, and the keeper, which sees none. */

/** What each is there for; their addresses are all that the page's policy lets become a worker. */
export const WORKER = "/worker.js";
export const VIDEO_WORKER = "/video.js";
const KEEPER = "/keeper.js";

/** @param {string} address */
const known = (address) => [VIDEO_WORKER, KEEPER].find((one) => one === address) ?? WORKER;

// @ts-expect-error: the types of the DOM do not know Trusted Types yet
const policy = globalThis.trustedTypes?.createPolicy("takeback", { createScriptURL: known });

/** @param {string} address */
const trusted = (address) => (policy ? policy.createScriptURL(address) : address);

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
  const worker = new Worker(trusted(address), ways);
  if (modules) return worker;
  worker.terminate();
  return undefined;
}

/** Sets the service worker up that keeps the page's program. The browser looks at the network for a newer one. */
export function startKeeper() {
  return navigator.serviceWorker.register(trusted(KEEPER), { updateViaCache: "none" });
}
