/** Notes the instances of CPython and its libraries, and tells which functions were entered when the page asks. */
import { noteEntered } from "../../../py/builder/split/entered.js";

const entered = noteEntered();

addEventListener("message", (event) => {
  if (event.data.kind !== "entered") return;
  event.stopImmediatePropagation();
  postMessage({ kind: "entered", functions: entered() });
});
