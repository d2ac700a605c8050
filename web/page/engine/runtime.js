/** Fetches the runtime's files, checks each against the digest that the build wrote into the page, and reports progress. */

import { canShareMemory, SECOND_PART } from "./second-part.js";

/** @typedef {{ loaded: number, total: number }} Progress in bytes, after decompression */
/**
 * What workers are started from; `second` is the file with the second parts, or its size if it is to come later.
 *
 * @typedef {Omit<import("../../messages.d.ts").RuntimeFiles, "second"> & { second: ArrayBuffer | number }} Runtime
 */
/** @typedef {{ address: string, size: number, integrity: string }} RuntimeFile */
/** @typedef {{ stop: AbortController, answer: Promise<Response> }} Download */

/**
 * Checking here instead of by `integrity` lets WebAssembly compile while it arrives: the browser would hold every byte
 * back until the last. Undefined on a page without TLS, where `integrity` is used.
 */
const subtle = globalThis.crypto?.subtle;

/** A download that brings nothing for so long has stalled: it is begun again. */
const STALLED_MILLISECONDS = 20_000;
/** How often a file is asked for, if the download stalls or breaks off. */
const MAX_TRIES = 3;

/** Downloads that were begun and that nobody has read yet, by address. @type {Map<string, Download>} */
const begun = new Map();

/**
 * Asks for the files that `loadRuntime` will read, once. The browser fetches and unpacks them while the page draws its
 * first screen, which reading them would delay.
 */
export function beginDownloads() {
  for (const file of needed()) begun.set(file.address, begun.get(file.address) ?? begin(file));
}

/**
 * Loads all files in parallel; the second part of CPython only if a worker could not wait for it.
 *
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<Runtime>}
 * @throws {Error} if a file cannot be fetched, or its digest is not the one in the page
 */
export async function loadRuntime(onProgress) {
  const files = needed();
  const later = named(listed("later-file"), SECOND_PART);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let loaded = 0;
  /** @param {number} bytes */
  const add = (bytes) => onProgress({ loaded: (loaded += bytes), total });
  const [wasm, python, packages, lock, second] = await Promise.all([
    compile(named(files, "pyodide.asm.wasm"), add),
    load(named(files, "python.zip"), add),
    load(named(files, "packages.zip"), add),
    load(named(files, "pyodide-lock.json"), add),
    canShareMemory ? later.size : load(later, add),
  ]);
  return { wasm, second, python, packages, lock: new TextDecoder().decode(lock) };
}

/** What a worker is started from; the second part of CPython only if it could not wait for that. */
function needed() {
  const files = listed("runtime-file");
  return canShareMemory ? files : [...files, named(listed("later-file"), SECOND_PART)];
}

/** The files that most pictures do not need. */
export class LaterFiles {
  /** By name. @type {Map<string, Promise<ArrayBuffer | undefined>>} */
  #files = new Map();

  /**
   * A file, which is loaded once; undefined if that fails, and then the next call tries again.
   *
   * @param {string} name
   */
  load(name) {
    const known = this.#files.get(name);
    if (known) return known;
    const loading = loadLater(name).catch(() => void this.#files.delete(name));
    this.#files.set(name, loading);
    return loading;
  }
}

/**
 * One of the files that most pictures do not need.
 *
 * @param {string} name
 * @throws {Error} like `loadRuntime`
 */
export async function loadLater(name) {
  return load(named(listed("later-file"), name), () => {});
}

/**
 * Compiles CPython while it streams in; resolves once its digest is checked.
 *
 * @param {RuntimeFile} file
 * @param {(bytes: number) => void} onBytes
 * @throws {Error} like `loadRuntime`
 */
async function compile(file, onBytes) {
  /** @type {ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>} */
  let feed;
  const stream = new ReadableStream({ start: (controller) => void (feed = controller) });
  const type = { headers: { "content-type": "application/wasm" } };
  const compiled = WebAssembly.compileStreaming(new Response(stream, type));
  const arrival = receive(file, (part) => {
    feed.enqueue(part);
    onBytes(part.length);
  });
  arrival.then(
    () => feed.close(),
    (error) => feed.error(error),
  );
  const [wasm] = await Promise.all([compiled, arrival.then((content) => verify(file, content))]);
  return wasm;
}

/**
 * @param {RuntimeFile[]} files
 * @param {string} name
 * @throws {Error} if the build did not list it
 */
function named(files, name) {
  const file = files.find(({ address }) => address === `/runtime/${name}`);
  if (!file) throw new Error(`the page does not list ${name}`);
  return file;
}

/**
 * The files that the build wrote into the page: `<meta name="KIND" content="ADDRESS SIZE INTEGRITY">`.
 *
 * @param {"runtime-file" | "later-file"} kind
 * @returns {RuntimeFile[]}
 */
function listed(kind) {
  return [...document.querySelectorAll(`meta[name="${kind}"]`)].map((element) => {
    const [address = "", size = "", integrity = ""] = (element.getAttribute("content") ?? "").split(" ");
    return { address, size: Number(size), integrity };
  });
}

/**
 * The content of one file.
 *
 * @param {RuntimeFile} file
 * @param {(bytes: number) => void} onBytes
 */
async function load(file, onBytes) {
  const content = await receive(file, (part) => onBytes(part.length));
  await verify(file, content);
  return content.buffer;
}

/**
 * The bytes of a file before their digest is checked; `onPart` gets each part as it arrives, and none of them twice.
 *
 * @param {RuntimeFile} file
 * @param {(part: Uint8Array<ArrayBuffer>) => void} onPart
 * @throws {Error} if the file cannot be fetched or is longer than the page says
 */
async function receive(file, onPart) {
  const content = new Uint8Array(file.size);
  let known = 0;
  for (let tries = 1; ; tries += 1) {
    let at = 0;
    try {
      for await (const part of parts(file)) {
        content.set(part, at); // RangeError if the file is too long
        at += part.length;
        if (at <= known) continue;
        onPart(part.subarray(part.length - (at - known)));
        known = at;
      }
      return content;
    } catch (error) {
      // A file that did not begin to come is not there; one that did may come whole.
      if (at === 0 || tries === MAX_TRIES || error instanceof RangeError) throw error;
    }
  }
}

/**
 * The parts of a file as they arrive.
 *
 * @param {RuntimeFile} file
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>}
 * @throws {Error} if it cannot be fetched, or nothing arrives for too long
 */
async function* parts(file) {
  const { stop, answer } = begun.get(file.address) ?? begin(file);
  begun.delete(file.address);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(), STALLED_MILLISECONDS);
  };
  try {
    watch();
    const response = await answer;
    if (!response.ok || !response.body) throw new Error(`${file.address}: ${response.status}`);
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      watch();
      yield part.value;
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/**
 * Asks for a file.
 *
 * @param {RuntimeFile} file
 * @returns {Download}
 */
function begin({ address, integrity }) {
  const stop = new AbortController();
  const checked = subtle ? {} : { integrity };
  const answer = fetch(address, { cache: "no-store", credentials: "omit", signal: stop.signal, ...checked });
  answer.catch(() => {}); // whoever reads it hears of it
  return { stop, answer };
}

/**
 * Checks the digest. A file that is too short ends in zeros here, so it fails too.
 *
 * @param {RuntimeFile} file
 * @param {Uint8Array<ArrayBuffer>} content
 * @throws {Error} if it is not the file that the page was built with
 */
async function verify(file, content) {
  if (!subtle) return; // the browser has checked `integrity`
  const digest = new Uint8Array(await subtle.digest("SHA-384", content));
  if (`sha384-${btoa(String.fromCharCode(...digest))}` !== file.integrity)
    throw new Error(`${file.address} is not the file that this page was built with`);
}
