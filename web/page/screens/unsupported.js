import { lines } from "../lines.js";
import { heading, lead } from "../parts.js";
import { say } from "../words.js";

/**
 * For a browser that cannot hash: who can help instead.
 *
 * @type {import("../app.js").Screen}
 */
export function unsupported() {
  return [
    heading(say("unsupported.title")),
    lead("unsupported.lead"),
    lines([
      "takeitdown",
      "cybertipline",
      "lifeline",
      "crisistext",
      "reportremove",
      "childline",
      "cybertip",
      "esafety",
      "inhope",
    ]),
  ];
}
