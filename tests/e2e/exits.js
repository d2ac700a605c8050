/**
 * The ways out of a worker, each tried for real. A test bundles this with the product's worker, serves it with the
 * worker's policy, and counts what arrives at `/leak/...`.
 *
 * The functions are taken before any other code of the worker runs, so that what is tested is the policy, and not
 * whether the product has covered a name.
 */
const { fetch, XMLHttpRequest, WebSocket, EventSource, WebTransport, RTCPeerConnection, Worker, FontFace } =
  globalThis;
const evaluate = globalThis.eval;
const store = globalThis.caches;
/** Milliseconds for one way that gives neither success nor failure. */
const LONG_ENOUGH = 3000;

/** @param {string} name */
const leak = (name) => new URL(`/leak/${name}`, self.location.href).href;

/** @param {string} name */
const leakSocket = (name) => leak(name).replace("http", "ws");

/**
 * Waits for one of two events.
 *
 * @param {EventTarget} target
 * @param {string} good
 */
const opened = (target, good) =>
  new Promise((resolve, reject) => {
    target.addEventListener(good, resolve);
    target.addEventListener("error", () => reject(new Error("refused")));
  });

/** @param {string | URL} address */
async function worker(address) {
  await opened(new Worker(address, { type: "module" }), "message");
}

/** @type {Record<string, (elsewhere: string) => unknown>} */
const WAYS = {
  fetch: () => fetch(leak("fetch")),
  "fetch-elsewhere": (elsewhere) => fetch(`${elsewhere}/leak/fetch-elsewhere`, { mode: "no-cors" }),
  "fetch-keepalive": () =>
    fetch(leak("fetch-keepalive"), { method: "POST", body: "pixels", keepalive: true }),
  XMLHttpRequest: () => {
    const request = new XMLHttpRequest();
    request.open("GET", leak("XMLHttpRequest"));
    request.send();
    return opened(request, "load");
  },
  WebSocket: () => opened(new WebSocket(leakSocket("WebSocket")), "open"),
  EventSource: () => {
    const source = new EventSource(leak("EventSource"));
    return opened(source, "open").finally(() => source.close());
  },
  WebTransport: () => new WebTransport(leak("WebTransport").replace("http:", "https:")).ready,
  RTCPeerConnection: () => {
    const connection = new RTCPeerConnection({ iceServers: [{ urls: `stun:${self.location.host}` }] });
    connection.createDataChannel("leak");
    return connection.createOffer().then((offer) => connection.setLocalDescription(offer));
  },
  sendBeacon: () =>
    navigator.sendBeacon(leak("sendBeacon"), "pixels") || Promise.reject(new Error("refused")),
  "Cache.add": async () => (await store.open("leak")).add(leak("Cache.add")),
  import: () => import(leak("import")),
  "import-again": () => import(leak("import-again?pixels")),
  Worker: () => worker(leak("Worker")),
  "blob-Worker": () =>
    worker(URL.createObjectURL(new Blob([sender("blob-Worker")], { type: "text/javascript" }))),
  "data-Worker": () => worker(`data:text/javascript,${encodeURIComponent(sender("data-Worker"))}`),
  eval: () => evaluate(`fetch(${JSON.stringify(leak("eval"))})`),
  Function: () => new Function(`return fetch(${JSON.stringify(leak("Function"))})`)(),
  FontFace: () => new FontFace("leak", `url(${leak("FontFace")})`).load(),
};

/**
 * A script that sends something and then says so.
 *
 * @param {string} name
 */
function sender(name) {
  return `fetch(${JSON.stringify(leak(name))}, { mode: "no-cors" }).finally(() => postMessage("sent")).catch(() => {});`;
}

/**
 * Tries every way, one after the other: "open", or what stopped it.
 *
 * @param {string} elsewhere the address of another server
 */
export async function tryEveryWay(elsewhere) {
  /** @type {Record<string, string>} */
  const outcome = {};
  for (const [name, way] of Object.entries(WAYS)) {
    postMessage({ trying: name });
    const late = new Promise((_, reject) =>
      setTimeout(() => reject(new Error("nothing happened")), LONG_ENOUGH),
    );
    try {
      await Promise.race([way(elsewhere), late]);
      outcome[name] = "open";
    } catch (fault) {
      outcome[name] = String(fault);
    }
  }
  return outcome;
}

addEventListener("message", async (event) => {
  if (!event.data?.tryEveryWay) return;
  // No other code of the worker is to see this message.
  event.stopImmediatePropagation();
  postMessage({ outcome: await tryEveryWay(event.data.elsewhere) });
});
