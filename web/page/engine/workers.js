/**
 * Starts the page's workers: the two sealed ones, which alone see a picture's bytes, and the service worker, which sees
 * none.
 */

/** The addresses that the page's Trusted Types policy lets become a worker; no others. */
export const PICTURE_WORKER = "/worker.js";
export const VIDEO_WORKER = "/video.js";
const SERVICE_WORKER = "/keeper.js";

/** @param {string} address */
const known = (address) => [VIDEO_WORKER, SERVICE_WORKER].find((one) => one === address) ?? PICTURE_WORKER;

// @ts-expect-error: TypeScript's DOM types lack Trusted Types
const policy = globalThis.trustedTypes?.createPolicy("takeback", { createScriptURL: known });

/** @param {string} address */
const trusted = (address) => (policy ? policy.createScriptURL(address) : address);

/**
 * Starts a sealed worker; undefined in a browser without module workers.
 *
 * @param {typeof PICTURE_WORKER | typeof VIDEO_WORKER} address
 */
export function startWorker(address) {
  let modules = false;
  const options = {
    get type() {
      modules = true; // only a browser that knows module workers reads it
      return /** @type {const} */ ("module");
    },
  };
  const worker = new Worker(trusted(address), options);
  if (modules) return worker;
  worker.terminate();
  return undefined;
}

/** Registers the service worker that keeps the page's program. The browser bypasses its cache to look for updates. */
export function registerServiceWorker() {
  return navigator.serviceWorker.register(trusted(SERVICE_WORKER), { updateViaCache: "none" });
}
