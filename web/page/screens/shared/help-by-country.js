/** Help lines by country: the one that the person chose, or a guess until then. */
import { h } from "../../ui/dom.js";
import { selectField } from "../../ui/fields.js";
import { EMERGENCY, HELP_LINES } from "../../content/helplines.js";
import { lines } from "./help-line-list.js";
import { guessCountry } from "../../language/country.js";
import { say, sayCountry } from "../../language/words.js";

/** @typedef {import("../../content/helplines.js").Help} Help */
/** @typedef {import("../../content/helplines.js").Whom} Whom */
/** @typedef {import("../../session/session.js").About} About */

/** Whom a line must be for. A parent calls for the child too. @type {Record<About, Whom[]>} */
const WHOM = {
  now: ["child"],
  then: ["child", "adult"],
  child: ["child", "parent"],
  helper: ["child", "parent"],
  adult: ["adult"],
};

/**
 * The list of countries, and below it the help lines of the chosen one.
 *
 * @param {import("./context.d.ts").ScreenContext} app
 * @param {Help[]} helps the kinds of help to show, the most important first
 * @param {(country: string) => void} [onChange]
 */
export function helpByCountry({ session }, helps, onChange) {
  const found = h("div", { class: "found", "aria-live": "polite" });
  const picker = selectField("country", "lines.country", choices(), homeOf(session), (country) => {
    session.country = country;
    show();
    onChange?.(country);
  });

  function show() {
    found.replaceChildren(...lines(helpIn(homeOf(session), helps, session.about), helps));
  }

  show();
  return [picker.element, h("p", { class: "hint" }, say("lines.private")), found];
}

/**
 * The country that the person chose, or else the one that the settings of the device speak for; empty if they do not say.
 *
 * @param {import("../../session/session.js").Session} session
 */
export function homeOf({ country }) {
  return country || (guess ??= guessCountry(countries()));
}

/** Made once: it takes a phone some milliseconds. @type {string | undefined} */
let guess;

/**
 * Whom to call in danger, in that country.
 *
 * @param {string} country
 */
export function danger(country) {
  const number = /** @type {Record<string, string>} */ (EMERGENCY)[country];
  return number ? say("urgent.danger", { number }) : say("urgent.danger-any");
}

/**
 * The help lines of a country with one of these kinds of help, then those for any country.
 *
 * @param {string} country
 * @param {Help[]} helps
 * @param {About | null} about whose picture it is: lines that are not for these people are left out
 */
export function helpIn(country, helps, about) {
  const all = /** @type {import("./help-line-list.js").LineName[]} */ (Object.keys(HELP_LINES));
  const rank = (/** @type {import("./help-line-list.js").LineName} */ name) =>
    helps.findIndex((help) => lineOf(name).helps.includes(help));
  const fitting = all.filter((name) => rank(name) >= 0 && isFor(lineOf(name), about));
  const near = fitting.filter((name) => HELP_LINES[name].country === country);
  const anywhere = fitting.filter((name) => HELP_LINES[name].country === null);
  const order = (/** @type {import("./help-line-list.js").LineName[]} */ names) =>
    names.sort((one, other) => rank(one) - rank(other));
  return [...order(near), ...order(anywhere)];
}

/**
 * @param {import("../../content/helplines.js").HelpLine} line
 * @param {About | null} about
 */
function isFor({ whom, still }, about) {
  if (!about) return true;
  if (about === "then" && still) return false;
  return whom.some((one) => WHOM[about].includes(one));
}

/**
 * @param {import("./help-line-list.js").LineName} name
 * @returns {import("../../content/helplines.js").HelpLine}
 */
function lineOf(name) {
  return HELP_LINES[name];
}

/** The countries that there are lines in. */
function countries() {
  return [...new Set(Object.values(HELP_LINES).flatMap(({ country }) => country ?? []))];
}

/** @returns {[string, string][]} */
function choices() {
  const named = countries().map((code) => /** @type {[string, string]} */ ([code, sayCountry(code)]));
  named.sort(([, one], [, other]) => one.localeCompare(other));
  return [["", say("lines.choose")], ...named, ["elsewhere", say("lines.elsewhere")]];
}
