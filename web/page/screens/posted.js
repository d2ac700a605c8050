import { helpByCountry } from "./shared/help-by-country.js";
import { h } from "../ui/dom.js";
import { lines } from "./shared/help-line-list.js";
import { actions, button, heading, lead, note, paragraph, press, section } from "../ui/parts.js";
import { PLATFORMS } from "../content/platforms.js";
import { say } from "../language/words.js";

/**
 * What to do if a picture is online already.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function posted(app) {
  const { session } = app;
  /** @param {string} key */
  function guide(key) {
    session.platform = key;
    app.go("platform");
  }
  const report = section(
    "posted.report",
    paragraph("posted.report-more"),
    h(
      "ul",
      { class: "platforms" },
      Object.entries(PLATFORMS).map(([key, { name }]) =>
        h(
          "li",
          {},
          press(name, () => guide(key)),
        ),
      ),
      h(
        "li",
        {},
        press(say("posted.other"), () => guide("other")),
      ),
    ),
  );
  const law = section(
    "posted.law",
    paragraph("posted.law-more"),
    button("posted.law-start", () => app.go("notice"), "primary"),
  );
  const tipline = section("posted.tipline", paragraph("posted.tipline-more"), lines(["cybertipline"]));
  return [
    heading(say("posted.title")),
    lead("posted.lead"),
    note("calm", paragraph("posted.links")),
    ...(session.about === "adult" ? [] : [tipline]),
    report,
    law,
    section(
      "posted.country",
      ...helpByCountry(
        app,
        session.about === "adult" ? ["adults", "remove"] : ["remove", "report", "same", "find"],
      ),
    ),
    paragraph("posted.future"),
    actions(
      session.about === "adult"
        ? button("adult.stop", () => app.go("adult"))
        : button("posted.block", () => app.go(session.about ? "pictures" : "age")),
      button("frame.return", () => app.tell({ type: "return" }), "plain"),
    ),
  ];
}
