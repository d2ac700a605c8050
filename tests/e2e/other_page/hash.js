/** A page of another developer: Pyodide as its documentation says, the wheel, and `hash_picture`. */
import { loadPyodide } from "/pyodide/pyodide.mjs";

const QUIET = { messageCallback: () => {} };

/**
 * Python with the wheel and all that it needs out of the folder of this site's runtime, by the lock that ships there.
 */
async function byTheLockThatShips() {
  const lock = new URL("/runtime/pyodide-lock.json", location.href);
  const pyodide = await loadPyodide({ indexURL: "/pyodide/", lockFileURL: lock.href });
  await pyodide.loadPackage("takeback-hashing", QUIET);
  return pyodide;
}

/**
 * Python with Pillow and numpy of the Pyodide release, and the wheel by its address.
 *
 * @param {string} wheel
 * @param {string} imagehash an archive of imagehash, which is not part of the release, and of the one function of scipy it calls
 */
async function byAddress(wheel, imagehash) {
  const pyodide = await loadPyodide({ indexURL: "/pyodide/" });
  await pyodide.loadPackage(["pillow", "numpy"], QUIET);
  await pyodide.loadPackage(wheel, QUIET);
  pyodide.unpackArchive(await (await fetch(imagehash)).arrayBuffer(), "zip", {
    extractDir: pyodide.pyimport("site").getsitepackages().get(0),
  });
  return pyodide;
}

/**
 * What `hash_picture` finds in pictures.
 *
 * @param {Awaited<ReturnType<typeof loadPyodide>>} pyodide
 * @param {string[]} addresses
 */
async function hashAll(pyodide, addresses) {
  const { hash_picture } = pyodide.pyimport("takeback.hashing");
  const { bytes } = pyodide.pyimport("builtins");
  const answers = [];
  for (const address of addresses) {
    const data = new Uint8Array(await (await fetch(address)).arrayBuffer());
    const { signals, width, height, format } = hash_picture(bytes(pyodide.toPy(data)));
    const found = [];
    for (const { $type: type, value, variant } of signals) found.push([type, value, variant]);
    answers.push({ signals: found, width, height, format });
  }
  return answers;
}

Object.assign(globalThis, { byTheLockThatShips, byAddress, hashAll, loaded: true });
