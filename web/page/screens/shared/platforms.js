/** Which platforms get the fingerprints, by the registry's own list. */
import { say, sayList } from "../../language/words.js";
import { h } from "../../ui/dom.js";
import { section } from "../../ui/parts.js";

/**
 * The list, as far as it is known; it changes in place when the registry has told.
 *
 * @param {import("./context.d.ts").ScreenContext} app
 * @param {{ withSites?: boolean }} [options] `withSites` is false on a case, whose status says how many small sites it reaches
 */
export function platforms(app, { withSites = true } = {}) {
  const found = h("div", { class: "group", "aria-live": "polite" });

  function show() {
    found.replaceChildren(...sentences(app, withSites).map((sentence) => h("p", {}, sentence)));
  }

  app.changes.addEventListener("change", show, { signal: app.leaving });
  show();
  return section("platforms.title", found);
}

/**
 * @param {import("./context.d.ts").ScreenContext} app
 * @param {boolean} withSites
 * @returns {string[]}
 */
function sentences({ state: { listing }, session: { platforms: known } }, withSites) {
  if (listing === "failed") return [say("platforms.unknown"), say("platforms.other")];
  if (!known) return [say("keep.working")];
  const { names, unnamed, sites } = known;
  if (names.length + unnamed + sites === 0) return [say("platforms.none"), say("platforms.other")];
  return [
    ...(names.length ? [say("platforms.named", { names: sayList(names), count: names.length })] : []),
    ...(unnamed ? [say("platforms.unnamed", { count: unnamed })] : []),
    ...(withSites && sites ? [say("platforms.sites", { count: sites })] : []),
    say("platforms.other"),
  ];
}
