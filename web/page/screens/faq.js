import { actions, button, heading, more, paragraph } from "../ui/parts.js";
import { say } from "../language/words.js";

/** @type {[import("../language/words.js").Key, import("../language/words.js").Key][]} */
const QUESTIONS = [
  ["faq.see", "faq.see-more"],
  ["faq.told", "faq.told-more"],
  ["faq.trouble", "faq.trouble-more"],
  ["faq.cost", "faq.cost-more"],
  ["faq.where", "faq.where-more"],
  ["faq.long", "faq.long-more"],
  ["faq.copies", "faq.copies-more"],
  ["faq.fake", "faq.fake-more"],
  ["faq.older", "faq.older-more"],
  ["faq.own", "faq.own-more"],
  ["faq.keep", "faq.keep-more"],
  ["faq.pin", "faq.pin-more"],
  ["faq.back", "faq.back-more"],
];

/**
 * Questions and answers.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function faq(app) {
  return [
    heading(say("faq.title")),
    ...QUESTIONS.map(([question, answer]) => more(question, paragraph(answer))),
    actions(button("frame.return", () => app.tell({ type: "return" }), "primary")),
  ];
}
