/**
 * The service worker: it exists only where a person asked to keep the page's program, and keeps that and nothing else.
 * It answers from its store for the files of the page; what is meant for the registry goes past it unseen. Nothing else
 * gets by, whoever asks: WebKit does not hold fonts to the policy of a worker that came from here.
 *
 * The build writes every file and its SHA-256 in here, so a new build is a new service worker: the browser fetches it
 * beside the old one, which goes on until the last tab is closed. So one visit never mixes two builds.
 */

/** Path and SHA-256 of each file of the build, which fills them in. @type {[string, string][]} */
const FILES = [];
/** The store of the build, named by it. */
const STORE = "";

/** What the page asks the network for. */
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

/** Fetches all files, or none: one that is not of this build ends it. */
async function keepAll() {
  try {
    const store = await caches.open(STORE);
    await Promise.all(FILES.map(([path, digest]) => keep(store, path, digest)));
  } catch (fault) {
    await caches.delete(STORE);
    throw fault;
  }
}

/**
 * Keeps one answer as it came, with its headers: a worker's policy is among them.
 *
 * @param {Cache} store
 * @param {string} path
 * @param {string} digest
 */
async function keep(store, path, digest) {
  const answer = await fetch(path, { cache: "no-store", credentials: "omit" });
  const content = await answer.clone().arrayBuffer();
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  const hex = Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (!answer.ok || hex !== digest) throw new Error(`${path} is not of this build`);
  await store.put(path, answer);
}

/** Drops what earlier builds kept, and answers for the tab that asked. */
async function takeOver() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== STORE).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/**
 * @param {string} path
 * @param {Request} request
 */
async function kept(path, request) {
  const store = await caches.open(STORE);
  return (await store.match(path, { ignoreVary: true })) ?? fetch(request);
}
