import { choices, heading, lead } from "../ui/parts.js";
import { say } from "../language/words.js";

/** @type {[import("../language/words.js").Key, import("./shared/context.d.ts").ScreenName][]} */
const ANSWERS = [
  ["where.private", "pictures"],
  ["where.threat", "urgent"],
  ["where.posted", "posted"],
  ["where.nofile", "nofile"],
];

/**
 * Asks where the picture is, which decides what helps most.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function where(app) {
  return [
    heading(say("where.title"), 2),
    lead("where.lead"),
    choices(ANSWERS.map(([key, screen]) => [key, () => app.go(screen)])),
  ];
}
