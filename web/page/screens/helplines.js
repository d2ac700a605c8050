import { helpByCountry } from "./shared/help-by-country.js";
import { h } from "../ui/dom.js";
import { CHECKED } from "../content/helplines.js";
import { actions, button, heading, lead } from "../ui/parts.js";
import { say, sayMonth } from "../language/words.js";

/** @type {import("../content/helplines.js").Help[]} */
const KINDS = [
  "talk",
  "crisis",
  "parents",
  "remove",
  "police",
  "report",
  "find-talk",
  "find",
  "same",
  "adults",
];

/**
 * Help lines by country.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function helplines(app) {
  return [
    heading(say("lines.title")),
    lead("lines.lead"),
    ...helpByCountry(app, KINDS),
    h("p", { class: "hint" }, say("lines.checked", { date: sayMonth(CHECKED) })),
    actions(button("frame.return", () => app.tell({ type: "return" }), "primary")),
  ];
}
