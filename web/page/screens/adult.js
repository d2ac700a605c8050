import { HELP_LINES } from "../content/helplines.js";
import { actions, button, heading, lead, outside, paragraph } from "../ui/parts.js";
import { say } from "../language/words.js";

/**
 * For people who were 18 or over in the picture: who helps them.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function adult(app) {
  return [
    heading(say("adult.title")),
    lead("adult.lead"),
    paragraph("adult.same"),
    paragraph("adult.posted"),
    actions(
      outside(HELP_LINES.stopncii.address, say("adult.stop"), "button primary"),
      button("start.posted", () => app.go("posted")),
      button("posted.law-start", () => app.go("notice")),
      button("adult.change", () => app.go("age"), "plain"),
    ),
  ];
}
