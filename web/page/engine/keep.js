/** Keeping the page's program on the device, for a person who asks for it, and taking it off again. */
import { startKeeper } from "./workers.js";

/** Told to the browser with the answer: it forgets whatever it holds of the page. */
const LEAVE = "/leave.txt";

/** Absent in private windows of some browsers, and where the page is not on TLS. */
const service = globalThis.navigator?.serviceWorker;

/** Whether this browser can keep the program. */
export const canKeep = Boolean(service && globalThis.caches);

/** Whether the program is kept. */
export async function isKept() {
  return canKeep && (await service.getRegistrations()).length > 0;
}

/**
 * Keeps the program. When anything of it cannot be had, nothing is kept.
 *
 * @throws {Error}
 */
export async function keep() {
  try {
    const { installing, waiting, active } = await startKeeper();
    await activated(installing ?? waiting ?? active);
  } catch (fault) {
    await drop();
    throw fault;
  }
}

/** Takes all of it off the device. */
export async function drop() {
  if (!canKeep) return;
  const [registrations, names] = await Promise.all([service.getRegistrations(), caches.keys()]);
  await Promise.all([
    ...registrations.map((registration) => registration.unregister()),
    ...names.map((name) => caches.delete(name)),
  ]);
}

/** Has the browser itself clear what it holds of the page; works on while another page is loaded. */
export function askToForget() {
  fetch(LEAVE, { cache: "no-store", credentials: "omit", keepalive: true }).catch(() => {});
}

/**
 * Settles once the service worker has all files.
 *
 * @param {ServiceWorker | null} worker
 * @returns {Promise<void>}
 */
function activated(worker) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker?.state === "activated") resolve();
      if (!worker || worker.state === "redundant") reject(new Error("the program could not be kept"));
    };
    worker?.addEventListener("statechange", look);
    look();
  });
}
