/** Lets the person choose whether the page's program is kept on the device. */
import { h } from "../../ui/dom.js";
import { canKeep, keep, removeKept } from "../../engine/keep.js";
import { button, live, more, paragraph } from "../../ui/parts.js";
import { say, saySize } from "../../language/words.js";

/**
 * The choice, folded up; empty in a browser that cannot do it.
 *
 * @param {import("./context.d.ts").ScreenContext} app
 */
export function keeping(app) {
  if (!canKeep) return [];
  const told = live();
  const on = button("keep.on", () => act(keepAfterwards, "keep.is-on"));
  const off = button("keep.off", () => act(removeKept, "keep.is-off"));

  /** Not while the page loads the same files: that takes twice as long, and WebKit's service worker hangs. */
  const keepAfterwards = () => app.preparation.settled().then(keep);

  /**
   * @param {() => Promise<void>} change
   * @param {import("../../language/words.js").Key} done
   */
  async function act(change, done) {
    on.disabled = off.disabled = true;
    told.textContent = say("keep.working");
    const failed = await change().then(
      () => false,
      () => true,
    );
    await app.updateKept();
    on.disabled = off.disabled = false;
    show();
    told.textContent = say(failed ? "keep.failed" : done);
  }

  function show() {
    on.hidden = app.kept;
    off.hidden = !app.kept;
  }

  app.changes.addEventListener("change", show, { signal: app.leaving });
  show();
  const size = saySize(keptBytes());
  const texts = [paragraph("keep.trace"), paragraph("keep.never"), paragraph("keep.leave")];
  return [more("keep.title", paragraph("keep.more", { size }), ...texts, h("div", {}, on, off), told)];
}

/** The size of all files in bytes, which the build wrote into the page. */
function keptBytes() {
  return Number(document.querySelector('meta[name="kept-bytes"]')?.getAttribute("content"));
}
