/** Keeps CPython's instance, and tells which of its functions were entered when the page asks. */
import { entered } from "../../../py/builder/split/entered.js";

const { instantiate } = WebAssembly;
let exports = {};
WebAssembly.instantiate = async (...given) => {
  const made = await instantiate(...given);
  const found = (made.instance ?? made).exports;
  if (found["entered:0"]) exports = found;
  return made;
};

addEventListener("message", (event) => {
  if (event.data.kind !== "entered") return;
  event.stopImmediatePropagation();
  postMessage({ kind: "entered", functions: entered(exports) });
});
