/** Brings the files of the runtime here, checked, and says how far it is. */

/** @typedef {{ loaded: number, total: number }} Progress in bytes, after decompression */
/** @typedef {{ address: string, size: number, integrity: string }} RuntimeFile */

/**
 * What the sealed worker is started with.
 *
 * @typedef {object} Runtime
 * @property {WebAssembly.Module} wasm CPython, compiled here while it arrives.
 * @property {ArrayBuffer} python
 * @property {ArrayBuffer} packages
 * @property {string} lock
 */

/**
 * Absent where the page is not on TLS. The browser's own check of a file would hold every byte back until the last, so
 * the digest is taken here where the browser lets us.
 */
const digests = globalThis.crypto?.subtle;

/**
 * Loads every file at once. Rejects when one of them cannot be had, or is not the one that the page was built with.
 *
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<Runtime>}
 */
export async function loadRuntime(onProgress) {
  const files = listed("runtime-file");
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let loaded = 0;
  /** @param {number} bytes */
  const add = (bytes) => onProgress({ loaded: (loaded += bytes), total });
  const [wasm, python, packages, lock] = await Promise.all([
    compile(named(files, "pyodide.asm.wasm"), add),
    load(named(files, "python.zip"), add),
    load(named(files, "packages.zip"), add),
    load(named(files, "pyodide-lock.json"), add),
  ]);
  return { wasm, python, packages, lock: new TextDecoder().decode(lock) };
}

/**
 * One of the files that are only loaded when they are wanted. Rejects like `loadRuntime`.
 *
 * @param {string} name
 */
export async function loadLater(name) {
  return load(named(listed("later-file"), name), () => {});
}

/**
 * Compiles CPython while it streams in, and answers once its digest has proved right.
 *
 * @param {RuntimeFile} file
 * @param {(bytes: number) => void} onBytes
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
    (fault) => feed.error(fault),
  );
  const [wasm] = await Promise.all([compiled, arrival.then((content) => verify(file, content))]);
  return wasm;
}

/**
 * @param {RuntimeFile[]} files
 * @param {string} name
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
 * One file, checked.
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
 * The bytes of a file, each part told as it streams in.
 *
 * @param {RuntimeFile} file
 * @param {(part: Uint8Array<ArrayBuffer>) => void} onPart
 */
async function receive(file, onPart) {
  const response = await fetch(file.address, {
    cache: "no-store",
    credentials: "omit",
    ...(digests ? {} : { integrity: file.integrity }),
  });
  if (!response.ok || !response.body) throw new Error(`${file.address}: ${response.status}`);
  const content = new Uint8Array(file.size);
  let at = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    content.set(part.value, at); // throws when the file is longer than it should be
    at += part.value.length;
    onPart(part.value);
  }
  return content;
}

/**
 * Throws unless this is the file that the page was built with. What is short ends in zeros, so its digest tells.
 *
 * @param {RuntimeFile} file
 * @param {Uint8Array<ArrayBuffer>} content
 */
async function verify(file, content) {
  if (!digests) return; // the browser has done it
  const digest = new Uint8Array(await digests.digest("SHA-384", content));
  if (`sha384-${btoa(String.fromCharCode(...digest))}` !== file.integrity)
    throw new Error(`${file.address} is not the file that this page was built with`);
}
