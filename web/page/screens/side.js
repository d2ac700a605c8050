import { helpIn, homeOf } from "./shared/help-by-country.js";
import { lines } from "./shared/help-line-list.js";
import { h } from "../ui/dom.js";
import { button } from "../ui/parts.js";
import { say } from "../language/words.js";

/** @type {Record<import("../session/session.js").Session["gone"], import("../language/words.js").Key>} */
const GONE = { nothing: "side.nothing", asked: "side.asked", sent: "side.sent" };
/** Screens that are about help lines themselves. */
const WITH_LINES = new Set(["urgent", "helplines", "posted", "nofile", "unsupported"]);
const MOST_LINES = 2;
/** @type {import("../content/helplines.js").Help[]} */
const HELPS = ["talk", "crisis", "find-talk"];

/**
 * What stands beside a screen where there is room: what has left the device, and somebody to talk to.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function side(app) {
  const { session, state } = app;
  const near = helpIn(homeOf(session), HELPS, session.about).slice(0, MOST_LINES);
  return [
    h("section", { class: "aside" }, h("h2", {}, say("side.title")), h("p", {}, say(GONE[session.gone]))),
    ...(WITH_LINES.has(state.screen)
      ? []
      : [
          h(
            "section",
            { class: "aside" },
            h("h2", {}, say("nofile.talk")),
            ...lines(near, HELPS),
            button("frame.lines", () => app.go("helplines"), "plain"),
          ),
        ]),
  ];
}
