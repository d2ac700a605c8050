import { danger, helpByCountry, homeOf } from "./shared/help-by-country.js";
import { h, write } from "../ui/dom.js";
import { actions, button, heading, lead, note, numbered, paragraph, section } from "../ui/parts.js";
import { say } from "../language/words.js";

/** @type {import("../content/helplines.js").Help[]} */
const HELPS = ["remove", "crisis", "talk", "police", "report", "parents", "find-talk", "find"];
/** Reports are taken of pictures of people under 18. @type {import("../content/helplines.js").Help[]} */
const HELPS_FOR_ADULTS = ["adults", ...HELPS.filter((help) => help !== "report")];
/** @type {[import("../language/words.js").Key, import("../language/words.js").Key][]} */
const STEPS = [
  ["urgent.pay", "urgent.pay-more"],
  ["urgent.answer", "urgent.answer-more"],
  ["urgent.keep", "urgent.keep-more"],
  ["urgent.report", "urgent.report-more"],
  ["urgent.tell", "urgent.tell-more"],
  ["urgent.block", "urgent.block-more"],
];

/**
 * Whom to call about threats and blackmail, and what to do in the next ten minutes.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function urgent(app) {
  const { about } = app.session;
  const adult = about === "adult";
  const call = h("p", { class: "lead" }, danger(homeOf(app.session)));
  return [
    heading(say("urgent.title")),
    lead("urgent.lead"),
    note("warning", call),
    section(
      "urgent.lines",
      paragraph("urgent.feel"),
      ...helpByCountry(app, adult ? HELPS_FOR_ADULTS : HELPS, (country) => write(call, danger(country))),
    ),
    section(
      "urgent.ten",
      numbered(about === "now" || about === "then" || !about ? STEPS : STEPS.filter(isForOthers)),
    ),
    actions(
      button("urgent.start", () => app.go(adult ? "adult" : about ? "pictures" : "age"), "primary"),
      button("frame.return", () => app.tell({ type: "return" })),
    ),
    ...(about === null || about === "child" ? [note("calm", paragraph("urgent.child"))] : []),
  ];
}

/**
 * Whether a step is also for a parent or a friend, and for someone who was 18 or over.
 *
 * @param {[import("../language/words.js").Key, import("../language/words.js").Key]} step
 */
function isForOthers([title]) {
  return title !== "urgent.tell" && title !== "urgent.block";
}
