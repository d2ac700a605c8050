/** The part of the notice's form that asks where the picture is: one group of fields for each platform. */
import { noPlace } from "../../content/notice.js";
import { PLATFORMS } from "../../content/platforms.js";
import { say } from "../../language/words.js";
import { h } from "../../ui/dom.js";
import { selectField, textField } from "../../ui/fields.js";
import { button } from "../../ui/parts.js";

/** @typedef {import("./form-fields.js").FormFields} FormFields */

/**
 * The list of places, and the button that adds one.
 *
 * @param {import("../../content/notice.js").Answers} answers
 * @param {FormFields} fields
 */
export function placeList(answers, fields) {
  const list = h("div", { class: "places" });

  function show() {
    const removable = answers.places.length > 1;
    list.replaceChildren(
      ...answers.places.map((place, at) =>
        placeFields(place, at, fields, removable && button("notice.less", () => remove(at), "plain")),
      ),
    );
  }

  function add() {
    answers.places.push(noPlace());
    show();
    fields.focus(`platform-${answers.places.length - 1}`);
  }

  /** @param {number} at */
  function remove(at) {
    answers.places.splice(at, 1);
    show();
    fields.focus("platform-0");
  }

  show();
  return [list, button("notice.more", add)];
}

/**
 * The fields of one place. The name is asked for only if the platform is not in the list.
 *
 * @param {import("../../content/notice.js").Place} place what is typed is kept here
 * @param {number} at its position, from 0
 * @param {FormFields} fields
 * @param {import("../../ui/dom.js").Child} remove the button that removes the place, if there is one
 */
function placeFields(place, at, fields, remove) {
  const name = textField(`name-${at}`, "notice.platform-name", {
    value: place.name,
    keep: (text) => (place.name = text),
  });
  name.element.hidden = place.platform !== "other";
  const platform = selectField(
    `platform-${at}`,
    "notice.platform",
    platformChoices(),
    place.platform,
    (value) => {
      place.platform = value;
      name.element.hidden = value !== "other";
    },
  );
  return h(
    "fieldset",
    { class: "place" },
    h("legend", {}, say("notice.where")),
    fields.add(`platform-${at}`, platform),
    fields.add(`name-${at}`, name),
    fields.add(
      `links-${at}`,
      textField(`links-${at}`, "notice.links", {
        hint: "notice.links-hint",
        long: true,
        value: place.links,
        keep: (text) => (place.links = text),
        attributes: { dir: "ltr", inputmode: "url" },
      }),
    ),
    textField(`find-${at}`, "notice.find", {
      hint: "notice.find-hint",
      long: true,
      value: place.find,
      keep: (text) => (place.find = text),
    }).element,
    remove,
  );
}

/** @returns {[string, string][]} keys of `PLATFORMS` and their names */
function platformChoices() {
  const named = Object.entries(PLATFORMS).map(
    ([key, { name }]) => /** @type {[string, string]} */ ([key, name]),
  );
  return [["", say("notice.platform-choose")], ...named, ["other", say("notice.platform-other")]];
}
