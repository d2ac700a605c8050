import { h } from "../ui/dom.js";
import { choiceField, selectField, textField, tickField } from "../ui/fields.js";
import { missing, noAnswers, noPlace } from "../content/notice.js";
import { actions, button, heading, lead, note, paragraph } from "../ui/parts.js";
import { PLATFORMS } from "../content/platforms.js";
import { say } from "../language/words.js";

/** @typedef {ReturnType<typeof textField> | ReturnType<typeof selectField> | ReturnType<typeof choiceField>} Field */

/**
 * The notice builder: the answers that the law asks for, once, for any number of platforms.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function notice(app) {
  const { session } = app;
  const { about } = session;
  const answers = (session.answers ??= noAnswers(about === "child" ? "child" : about ? "me" : ""));
  /** Every field by its id. @type {Map<string, Pick<Field, "input" | "complain">>} */
  const fields = new Map();
  const summary = h("div", { class: "note warning missing", role: "alert", tabindex: -1, hidden: true });
  const places = h("div", { class: "places" });

  /**
   * @template {Field | ReturnType<typeof tickField>} F
   * @param {string} id
   * @param {F} field
   */
  function keep(id, field) {
    fields.set(id, field);
    return field.element;
  }

  function showPlaces() {
    places.replaceChildren(...answers.places.map(place));
  }

  /**
   * @param {import("../content/notice.js").Place} given
   * @param {number} at
   */
  function place(given, at) {
    const name = textField(`name-${at}`, "notice.platform-name", {
      value: given.name,
      keep: (text) => (given.name = text),
    });
    name.element.hidden = given.platform !== "other";
    const platform = selectField(
      `platform-${at}`,
      "notice.platform",
      platforms(),
      given.platform,
      (value) => {
        given.platform = value;
        name.element.hidden = value !== "other";
      },
    );
    return h(
      "fieldset",
      { class: "place" },
      h("legend", {}, say("notice.where")),
      keep(`platform-${at}`, platform),
      keep(`name-${at}`, name),
      keep(
        `links-${at}`,
        textField(`links-${at}`, "notice.links", {
          hint: "notice.links-hint",
          long: true,
          value: given.links,
          keep: (text) => (given.links = text),
          attributes: { dir: "ltr", inputmode: "url" },
        }),
      ),
      textField(`find-${at}`, "notice.find", {
        hint: "notice.find-hint",
        long: true,
        value: given.find,
        keep: (text) => (given.find = text),
      }).element,
      answers.places.length > 1 && button("notice.less", () => remove(at), "plain"),
    );
  }

  function add() {
    answers.places.push(noPlace());
    showPlaces();
    fields.get(`platform-${answers.places.length - 1}`)?.input.focus();
  }

  /** @param {number} at */
  function remove(at) {
    answers.places.splice(at, 1);
    showPlaces();
    fields.get("platform-0")?.input.focus();
  }

  /** @param {Event} event */
  function make(event) {
    event.preventDefault();
    const found = missing(answers);
    if (found.length === 0) return app.go("letters");
    for (const { complain } of fields.values()) complain("");
    for (const { field, key } of found) fields.get(field)?.complain(say(key));
    summary.hidden = false;
    summary.replaceChildren(
      h(
        "div",
        {},
        h("p", { class: "lead" }, say("notice.missing", { count: found.length })),
        h(
          "ul",
          {},
          found.map(({ field, key }) =>
            h(
              "li",
              {},
              button(key, () => fields.get(field)?.input.focus(), "plain"),
            ),
          ),
        ),
      ),
    );
    summary.focus();
  }

  showPlaces();
  return [
    heading(say("notice.title")),
    lead("notice.lead"),
    note("calm", paragraph("notice.private"), paragraph("notice.names")),
    paragraph("notice.not-needed"),
    summary,
    h(
      "form",
      { novalidate: true, autocomplete: "off", onsubmit: make },
      keep(
        "who",
        choiceField(
          "who",
          "notice.who",
          "radio",
          [
            ["me", "notice.who-me"],
            ["child", "notice.who-child"],
          ],
          [answers.who],
          ([who]) => (answers.who = /** @type {"me" | "child"} */ (who)),
        ),
      ),
      places,
      button("notice.more", add),
      keep(
        "reasons",
        choiceField(
          "reasons",
          "notice.reasons",
          "checkbox",
          [
            ["minor", "notice.reason-minor"],
            ["never", "notice.reason-never"],
            ["fake", "notice.reason-fake"],
          ],
          answers.reasons,
          (reasons) => (answers.reasons = /** @type {import("../content/notice.js").Reason[]} */ (reasons)),
        ),
      ),
      textField("words", "notice.words", {
        hint: "notice.words-hint",
        long: true,
        value: answers.words,
        keep: (text) => (answers.words = text),
      }).element,
      keep(
        "faith",
        tickField("faith", "notice.faith", answers.faith, (checked) => (answers.faith = checked)),
      ),
      h(
        "fieldset",
        {},
        h("legend", {}, say("notice.contact")),
        h("p", { class: "hint" }, say("notice.contact-hint")),
        keep("email", line("email", "notice.email", { inputmode: "email", dir: "ltr" })),
        keep("phone", line("phone", "notice.phone", { inputmode: "tel", dir: "ltr" })),
      ),
      keep("sign", line("sign", "notice.sign", {}, "notice.sign-hint")),
      actions(
        h("button", { type: "submit", class: "button primary" }, say("notice.make")),
        button("frame.back", () => app.go("posted"), "plain"),
      ),
    ),
    h("p", { class: "hint" }, say("notice.advice")),
  ];

  /**
   * A field for one line of the answers.
   *
   * @param {"email" | "phone" | "sign"} id
   * @param {import("../language/words.js").Key} label
   * @param {import("../ui/dom.js").Attributes} attributes
   * @param {import("../language/words.js").Key} [hint]
   */
  function line(id, label, attributes, hint) {
    const keepText = (/** @type {string} */ text) => (answers[id] = text);
    return textField(id, label, {
      value: answers[id],
      keep: keepText,
      attributes,
      ...(hint ? { hint } : {}),
    });
  }
}

/** @returns {[string, string][]} */
function platforms() {
  const named = Object.entries(PLATFORMS).map(
    ([key, { name }]) => /** @type {[string, string]} */ ([key, name]),
  );
  return [["", say("notice.platform-choose")], ...named, ["other", say("notice.platform-other")]];
}
