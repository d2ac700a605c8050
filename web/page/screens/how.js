import { h } from "../ui/dom.js";
import { EXITS } from "../content/escape-attempts.js";
import { actions, button, heading, outside, paragraph, section } from "../ui/parts.js";
import { say } from "../language/words.js";

/** Every file of the page with its size and SHA-256, made by the build. */
const MANIFEST = "/manifest.json";
/** Everything that the page is built from. */
const SOURCE = "/source.zip";
/** The licences of the software in the page. */
const NOTICES = "/notices.txt";
/**
 * How it works, and how to check that.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function how(app) {
  return [
    heading(say("how.title")),
    section("how.hash", paragraph("how.hash-more")),
    section("how.back", paragraph("how.back-more")),
    section(
      "how.sealed",
      paragraph("how.sealed-more"),
      paragraph("how.exits", { count: EXITS.length }),
      h(
        "ul",
        { class: "exits", dir: "ltr", translate: "no" },
        EXITS.map((name) => h("li", {}, h("code", {}, name))),
      ),
    ),
    section("how.platforms", paragraph("how.platforms-more"), paragraph("review.along")),
    section("how.keep", paragraph("how.keep-more")),
    section("how.operator", paragraph("how.operator-more")),
    section(
      "how.check",
      h(
        "ul",
        {},
        h("li", {}, say("how.check-offline")),
        h("li", {}, say("how.check-message")),
        h("li", {}, say("how.check-read")),
        h("li", {}, say("how.check-files")),
        h("li", {}, say("how.check-build")),
      ),
      outside(MANIFEST, say("how.files")),
      outside(SOURCE, say("how.source")),
      outside(NOTICES, say("how.licences")),
    ),
    section("how.leave", paragraph("how.leave-more")),
    actions(button("frame.return", () => app.tell({ type: "return" }), "primary")),
  ];
}
