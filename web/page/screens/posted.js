import { helpByCountry, homeOf } from "./shared/help-by-country.js";
import { h } from "../ui/dom.js";
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
  const report = section("posted.report", paragraph("posted.report-more"), platformList(guide));
  const law = section(
    "posted.law",
    paragraph("posted.law-more"),
    button("posted.law-start", () => app.go("notice"), "primary"),
  );
  return [
    heading(say("posted.title")),
    lead("posted.lead"),
    note("calm", paragraph("posted.links")),
    section("posted.country", ...nearHelp(app)),
    report,
    law,
    paragraph("posted.future"),
    actions(
      session.about === "adult"
        ? button("adult.stop", () => app.go("adult"))
        : button("posted.block", () => app.go(session.about ? "pictures" : "age")),
      button("frame.return", () => app.tell({ type: "return" }), "plain"),
    ),
  ];
}

/**
 * The help lines of a country. In the United States the first way for a picture of someone under 18 is the CyberTipline;
 * other countries have their own.
 *
 * @param {import("./shared/context.d.ts").ScreenContext} app
 */
function nearHelp(app) {
  const adult = app.session.about === "adult";
  const tipline = note("calm", h("strong", {}, say("posted.tipline")), paragraph("posted.tipline-more"));
  const show = (/** @type {string} */ country) => (tipline.hidden = adult || country !== "US");
  show(homeOf(app.session));
  const helps = helpByCountry(
    app,
    adult ? ["adults", "remove"] : ["remove", "police", "report", "same", "find"],
    show,
  );
  return [...helps.slice(0, -1), tipline, ...helps.slice(-1)];
}

/** @param {(key: string) => void} guide opens the guide of a platform */
function platformList(guide) {
  const item = (/** @type {string} */ name, /** @type {string} */ key) =>
    h(
      "li",
      {},
      press(name, () => guide(key)),
    );
  return h(
    "ul",
    { class: "platforms" },
    Object.entries(PLATFORMS).map(([key, { name }]) => item(name, key)),
    item(say("posted.other"), "other"),
  );
}
