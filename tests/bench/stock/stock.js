/** What Takeback is compared with: Pyodide as its documentation says, numpy, Pillow, and PDQ written in numpy. */
import { loadPyodide } from "/pyodide/pyodide.mjs";

const input = /** @type {HTMLInputElement} */ (document.querySelector("input"));
const chosen = new Promise((resolve) => {
  const look = () => input.files?.[0] && resolve(input.files[0]);
  input.addEventListener("change", look);
  look(); // it may have been chosen before this script was there
});

const pyodide = await loadPyodide({ indexURL: "/pyodide/" });
await pyodide.loadPackage(["numpy", "pillow"], { messageCallback: () => {} });
pyodide.runPython(await (await fetch("pdq.py")).text());
const hash = pyodide.globals.get("pdq_of_file");
const file = await chosen;
const value = hash(new Uint8Array(await file.arrayBuffer()));
Object.assign(globalThis, { stockResult: { at: performance.now(), value } });
