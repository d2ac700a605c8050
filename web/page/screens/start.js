import { drawing, h } from "../ui/dom.js";
import { inAppNote } from "./shared/in-app-note.js";
import { keeping } from "./shared/keep-choice.js";
import { actions, button, heading, lead, more, note, paragraph, section } from "../ui/parts.js";
import { readiness } from "./shared/readiness.js";
import { say } from "../language/words.js";

/**
 * What this is, what leaves the device, and what it cannot do.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function start(app) {
  return [
    heading(say("start.title")),
    lead("start.lead"),
    ...inAppNote(),
    actions(
      button("start.begin", () => app.go("age"), "primary"),
      button("start.lookup", () => app.go("lookup")),
    ),
    readiness(app),
    note("calm", paragraph("start.kind"), paragraph("start.fake")),
    section(
      "start.happens",
      happens(),
      more("frame.how", paragraph("start.hash-more"), paragraph("start.sent-more")),
    ),
    button("start.posted", () => app.go("posted"), "plain"),
    more(
      "start.limits",
      h(
        "ul",
        { class: "limits" },
        LIMITS.map((key) => h("li", {}, say(key))),
      ),
    ),
    more("start.leave", paragraph("start.leave-more")),
    ...keeping(app),
  ];
}

/** @type {import("../language/words.js").Key[]} */
const LIMITS = ["start.limit-posted", "start.limit-platforms", "start.limit-changed", "start.limit-chats"];

/** @type {[import("../ui/dom.js").Drawing, import("../language/words.js").Key, import("../language/words.js").Key?][]} */
const HAPPENS = [
  ["picture", "start.stays", "start.stays-more"],
  ["hash", "start.hash"],
  ["shield", "start.sent"],
];

function happens() {
  return h(
    "ol",
    { class: "happens" },
    HAPPENS.map(([icon, title, text]) =>
      h("li", {}, drawing(icon), h("div", {}, h("h3", {}, say(title)), text && h("p", {}, say(text)))),
    ),
  );
}
