import { h, write } from "../ui/dom.js";
import { actions, button, heading, lead, live, outside, paragraph, section } from "../ui/parts.js";
import { answersFor, choosePlatform } from "../content/notice.js";
import { PLATFORMS, reportPage } from "../content/platforms.js";
import { copy } from "../ui/save.js";
import { say } from "../language/words.js";

/** @type {Record<import("../session/session.js").About, import("../language/words.js").Key>} */
const TEXTS = {
  now: "platform.text-minor",
  then: "platform.text-minor",
  child: "platform.text-child",
  helper: "platform.text-helper",
  adult: "platform.text-adult",
};

/**
 * How to report a picture to one platform, and what to write.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function platform(app) {
  const { session } = app;
  const known = /** @type {Record<string, import("../content/platforms.js").Platform>} */ (PLATFORMS)[
    session.platform
  ];
  const text = say(TEXTS[session.about ?? "now"]);
  const told = live();
  const copyText = async () =>
    write(told, say((await copy(text)) ? "platform.copied" : "platform.copy-failed"));

  /** Opens the form of the notice, with this platform chosen. */
  function writeNotice() {
    session.answers ??= answersFor(session.about);
    if (known) choosePlatform(session.answers, session.platform);
    app.go("notice");
  }

  return [
    heading(known ? say("platform.title", { name: known.name }) : say("platform.title-other")),
    lead("platform.lead"),
    ...(known
      ? [
          ...reportLinks(known, session.about === "adult"),
          ...(known.account === false ? [paragraph("platform.no-account")] : []),
          ...(known.us ? [paragraph("platform.us")] : []),
        ]
      : []),
    section(
      "platform.how",
      h(
        "ol",
        {},
        h("li", {}, say("platform.find")),
        h("li", {}, say(session.about === "adult" ? "platform.report-adult" : "platform.report")),
        h("li", {}, say("platform.link")),
        !known && h("li", {}, say("platform.contact")),
        h("li", {}, say("platform.again")),
      ),
    ),
    section(
      "platform.write",
      h("blockquote", { class: "quote" }, text),
      button("platform.copy", () => void copyText()),
      told,
    ),
    actions(
      button("posted.law-start", writeNotice),
      button("platform.others", () => app.go("posted"), "plain"),
    ),
  ];
}

/**
 * How a picture reaches the people who take it down: a page, an address for e-mail, or the app itself.
 *
 * @param {import("../content/platforms.js").Platform} platform
 * @param {boolean} adult whether the person was 18 or over in the picture
 */
function reportLinks(platform, adult) {
  const { name, mail } = platform;
  const page = reportPage(platform, adult);
  if (page) return [h("p", {}, outside(page, say("platform.page", { name }), "button primary"))];
  if (mail && !adult)
    return [
      h("p", {}, h("a", { class: "button primary", href: `mailto:${mail}` }, say("platform.mail", { mail }))),
    ];
  return [paragraph("platform.app")];
}
