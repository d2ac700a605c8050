import { helpByCountry } from "../country.js";
import { h } from "../dom.js";
import { CHECKED } from "../helplines.js";
import { actions, button, heading, lead } from "../parts.js";
import { say, sayMonth } from "../words.js";

/**
 * Help lines by country.
 *
 * @type {import("../app.js").Screen}
 */
export function helplines(app) {
  return [
    heading(say("lines.title")),
    lead("lines.lead"),
    ...helpByCountry(app, ["talk", "crisis", "remove", "report", "find-talk", "find", "same", "adults"]),
    h("p", { class: "hint" }, say("lines.checked", { date: sayMonth(CHECKED) })),
    actions(button("frame.return", () => app.go(app.origin), "primary")),
  ];
}
