import { inAppNote } from "./shared/in-app-note.js";
import { lines } from "./shared/help-line-list.js";
import { heading, lead } from "../ui/parts.js";
import { say } from "../language/words.js";

/**
 * For a browser that cannot hash: who can help instead.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function unsupported() {
  return [
    heading(say("unsupported.title")),
    lead("unsupported.lead"),
    ...inAppNote(),
    ...lines([
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
