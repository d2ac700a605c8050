import { choices, heading, lead, more, paragraph } from "../ui/parts.js";
import { say } from "../language/words.js";

/** @type {[import("../session/session.js").About | "adult", import("../language/words.js").Key][]} */
const ANSWERS = [
  ["now", "age.now"],
  ["then", "age.then"],
  ["child", "age.child"],
  ["helper", "age.helper"],
  ["adult", "age.adult"],
];

/**
 * Asks whose picture it is, by age band.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function age(app) {
  /** @param {import("../session/session.js").About | "adult"} about */
  function choose(about) {
    app.session.about = about;
    app.go(about === "adult" ? "adult" : "where");
  }
  return [
    heading(say("age.title"), 1),
    lead("age.lead"),
    choices(ANSWERS.map(([about, key]) => [key, () => choose(about)])),
    more("age.more", paragraph("age.unsure"), paragraph("age.fake")),
  ];
}
