import { h } from "../ui/dom.js";
import { helpByCountry } from "./shared/help-by-country.js";
import { actions, button, heading, lead, section } from "../ui/parts.js";
import { say } from "../language/words.js";

/**
 * For a person without the file: what they can do instead. It never suggests getting the file.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function nofile(app) {
  const { about } = app.session;
  const mine = about !== "child" && about !== "helper" && about !== "adult";
  return [
    heading(say("nofile.title")),
    lead("nofile.lead"),
    h(
      "ul",
      { class: "ways" },
      way(
        "nofile.posted",
        button("start.posted", () => app.go("posted")),
      ),
      way(
        "nofile.notice",
        button("posted.law-start", () => app.go("notice")),
      ),
      way(
        "nofile.threat",
        button("frame.help", () => app.go("urgent")),
      ),
      mine && way("nofile.adult"),
      way("nofile.later"),
    ),
    section("nofile.talk", ...helpByCountry(app, ["talk", "crisis", "remove", "find-talk", "find"])),
    actions(button("frame.return", () => app.tell({ type: "return" }), "plain")),
  ];
}

/**
 * @param {import("../language/words.js").Key} key
 * @param {import("../ui/dom.js").Child} [press]
 */
function way(key, press) {
  return h("li", {}, h("p", {}, say(key)), press);
}
