import { danger, helpByCountry } from "./shared/help-by-country.js";
import { h, write } from "../ui/dom.js";
import { actions, button, heading, lead, note, numbered, paragraph, section } from "../ui/parts.js";
import { say } from "../language/words.js";

/**
 * What to do in the next ten minutes about threats and blackmail.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function urgent(app) {
  const call = h("p", { class: "lead" }, danger(app.session.country));
  return [
    heading(say("urgent.title")),
    lead("urgent.lead"),
    note("warning", call),
    section(
      "urgent.ten",
      numbered([
        ["urgent.pay", "urgent.pay-more"],
        ["urgent.answer", "urgent.answer-more"],
        ["urgent.keep", "urgent.keep-more"],
        ["urgent.report", "urgent.report-more"],
        ["urgent.tell", "urgent.tell-more"],
        ["urgent.block", "urgent.block-more"],
      ]),
    ),
    actions(
      button("urgent.start", () => app.go(app.session.about ? "pictures" : "age"), "primary"),
      button("frame.return", () => app.tell({ type: "return" })),
    ),
    section(
      "urgent.lines",
      paragraph("urgent.feel"),
      ...helpByCountry(
        app,
        ["remove", "crisis", "talk", "police", "report", "parents", "find-talk", "find"],
        (country) => write(call, danger(country)),
      ),
    ),
    note("calm", paragraph("urgent.child")),
  ];
}
