/** A line that says how far the device is with getting ready to hash. */
import { h, write } from "../../ui/dom.js";
import { button, live } from "../../ui/parts.js";
import { say, sayPercent } from "../../language/words.js";

/** @type {Record<import("../../session/preparation.js").Readiness["kind"], import("../../language/words.js").Key>} */
const SENTENCES = { loading: "ready.loading", ready: "ready.ready", failed: "ready.failed" };

/** @param {import("./context.d.ts").ScreenContext} app */
export function readiness(app) {
  const words = live("words");
  // Beside the live region and not in it: a screen reader would say every change.
  const percent = h("span", { class: "percent", "aria-hidden": "true" });
  const bar = h("progress", { max: 1, "aria-hidden": "true" });
  const retry = button("ready.retry", () => app.tell({ type: "retry-device" }), "plain");
  const line = h("div", { class: "readiness" }, bar, words, percent, retry);

  function show() {
    const { state } = app.preparation;
    line.dataset["state"] = state.kind;
    retry.hidden = state.kind !== "failed";
    bar.hidden = state.kind !== "loading";
    if (state.kind === "loading") bar.value = state.fraction;
    percent.textContent = state.kind === "loading" && state.fraction > 0 ? sayPercent(state.fraction) : "";
    write(words, say(SENTENCES[state.kind]));
  }

  app.preparation.addEventListener("change", show, { signal: app.leaving });
  show();
  return line;
}
