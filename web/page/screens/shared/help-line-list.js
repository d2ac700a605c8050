/** A list of help lines with their names, what they do, and how to reach them. */
import { h } from "../../ui/dom.js";
import { HELP_LINES } from "../../content/helplines.js";
import { outside } from "../../ui/parts.js";
import { say, sayCountry } from "../../language/words.js";

/** @typedef {keyof typeof HELP_LINES} LineName */

/** @type {Record<import("../../content/helplines.js").Help, import("../../language/words.js").Key>} */
const HELPS = {
  talk: "line.talk",
  crisis: "line.crisis",
  report: "line.report",
  remove: "line.remove",
  police: "line.police",
  parents: "line.parents",
  find: "line.find",
  "find-talk": "line.find-talk",
  same: "line.same",
  adults: "line.adults",
};

/**
 * A list of help lines for each country that they are in, in the order of the first one.
 *
 * @param {LineName[]} names
 * @param {import("../../content/helplines.js").Help[]} [helps] the kinds of help to name, if not all that a line gives
 */
export function lines(names, helps) {
  const countries = new Set(names.map((name) => HELP_LINES[name].country));
  return [...countries].map((country) => {
    const where = country ? sayCountry(country) : say("line.anywhere");
    const there = names.map((name) => HELP_LINES[name]).filter((one) => one.country === country);
    return h(
      "div",
      {},
      h("p", { class: "where" }, where),
      h(
        "ul",
        { class: "lines", "aria-label": where },
        there.map((one) => line(one, helps)),
      ),
    );
  });
}

/**
 * @param {import("../../content/helplines.js").HelpLine} given
 * @param {import("../../content/helplines.js").Help[]} [named]
 */
function line({ name, helps, address, call, text }, named = helps) {
  return h(
    "li",
    { class: "line" },
    h(
      "div",
      {},
      h("p", { class: "name" }, address ? outside(address, name) : name),
      helps.filter((help) => named.includes(help)).map((help) => h("p", {}, say(HELPS[help]))),
    ),
    (call || text) &&
      h(
        "div",
        { class: "calls" },
        call &&
          h("a", { class: "button second", href: `tel:${bare(call)}` }, say("line.call", { number: call })),
        text && h("a", { class: "button second", href: `sms:${text.number}` }, sayText(text)),
      ),
  );
}

/** @param {{ word?: string, number: string }} text */
function sayText({ word, number }) {
  return word ? say("line.text", { word, number }) : say("line.text-any", { number });
}

/** @param {string} number */
function bare(number) {
  return number.replace(/[^0-9]/g, "");
}
