/** Keeps the page's program on the device for a person who asks for it (by the service worker), and removes it again. */
import { registerServiceWorker } from "./workers.js";

/** Answered with `Clear-Site-Data`. */
const LEAVE = "/leave.txt";

/** Absent in private windows of some browsers, and where the page is not on TLS. */
const serviceWorkers = globalThis.navigator?.serviceWorker;

/** Whether this browser can do it. */
export const canKeep = Boolean(serviceWorkers && globalThis.caches);

/** Whether the program is kept. */
export async function isKept() {
  return canKeep && (await serviceWorkers.getRegistrations()).length > 0;
}

/**
 * Keeps all files, or none.
 *
 * @throws {Error} if a file cannot be fetched or stored
 */
export async function keep() {
  try {
    const { installing, waiting, active } = await registerServiceWorker();
    await activated(installing ?? waiting ?? active);
  } catch (error) {
    await removeKept();
    throw error;
  }
}

/** Removes everything that is kept. */
export async function removeKept() {
  if (!canKeep) return;
  const [registrations, names] = await Promise.all([serviceWorkers.getRegistrations(), caches.keys()]);
  await Promise.all([
    ...registrations.map((registration) => registration.unregister()),
    ...names.map((name) => caches.delete(name)),
  ]);
}

/** Has the browser clear everything it stores for this site; goes on after the page is left. */
export function clearSiteData() {
  fetch(LEAVE, { cache: "no-store", credentials: "omit", keepalive: true }).catch(() => {});
}

/**
 * Resolves once the service worker has stored all files.
 *
 * @param {ServiceWorker | null} worker
 * @returns {Promise<void>}
 * @throws {Error} if it could not
 */
function activated(worker) {
  return new Promise((resolve, reject) => {
    const check = () => {
      if (worker?.state === "activated") resolve();
      if (!worker || worker.state === "redundant") reject(new Error("the program could not be kept"));
    };
    worker?.addEventListener("statechange", check);
    check();
  });
}
