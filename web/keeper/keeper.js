/**
 * The service worker. It is registered only if a person asks to keep the page's program, and caches that and nothing else.
 * It answers requests for the page's files from its cache, and lets requests to the registry pass. Any other request
 * fails: WebKit does not apply the policy of a sealed worker that came from a service worker to fonts.
 *
 * The build writes the SHA-256 of every file into this script, so a new build is a new service worker. The browser installs
 * it beside the old one, which serves until the last tab is closed; so no visit mixes two builds.
 */

/** Path and SHA-256 of each file, filled in by the build. @type {[string, string][]} */
const FILES = [];
/** The name of the cache, filled in by the build. */
const STORE = "";

/** Requests that go to the network. */
const PASSING = /^\/(v1\/.*|manifest\.json|leave\.txt|keeper\.js)$/;

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const paths = new Set(FILES.map(([path]) => path));

worker.addEventListener("install", (event) => event.waitUntil(keepAll()));
worker.addEventListener("activate", (event) => event.waitUntil(takeOver()));
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname, origin } = new URL(request.url);
  const path = pathname === "/index.html" ? "/" : pathname;
  const own = origin === worker.location.origin;
  if (own && request.method === "GET" && paths.has(path)) event.respondWith(kept(path, request));
  else if (request.mode !== "navigate" && !(own && PASSING.test(path))) event.respondWith(Response.error());
});

/**
 * Caches all files, or none.
 *
 * @throws {Error} if one of them cannot be fetched or is not of this build
 */
async function keepAll() {
  try {
    const store = await caches.open(STORE);
    await Promise.all(FILES.map(([path, digest]) => keep(store, path, digest)));
  } catch (error) {
    await caches.delete(STORE);
    throw error;
  }
}

/**
 * Caches one response with its headers, among them the policies of the sealed workers.
 *
 * @param {Cache} store
 * @param {string} path
 * @param {string} digest
 * @throws {Error} if it is not the file of this build
 */
async function keep(store, path, digest) {
  const answer = await fetch(path, { cache: "no-store", credentials: "omit" });
  const content = await answer.clone().arrayBuffer();
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  const hex = Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (!answer.ok || hex !== digest) throw new Error(`${path} is not of this build`);
  await store.put(path, answer);
}

/** Deletes the caches of earlier builds, and serves the tab that registered this worker. */
async function takeOver() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== STORE).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/**
 * The cached response, or the network's if the browser has dropped it.
 *
 * @param {string} path
 * @param {Request} request
 */
async function kept(path, request) {
  const store = await caches.open(STORE);
  return (await store.match(path, { ignoreVary: true })) ?? fetch(request);
}
