import { answersFor, missing } from "../content/notice.js";
import { say } from "../language/words.js";
import { h } from "../ui/dom.js";
import { choiceField, textField, tickField } from "../ui/fields.js";
import { actions, button, heading, lead, note, paragraph } from "../ui/parts.js";
import { FormFields } from "./shared/form-fields.js";
import { placeList } from "./shared/notice-places.js";

/** @typedef {import("../content/notice.js").Answers} Answers */

/**
 * The form of the notice: the answers that the law asks for, once, for any number of platforms.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function notice(app) {
  const { session } = app;
  const answers = (session.answers ??= answersFor(session.about));
  const fields = new FormFields();
  const summary = h("div", { class: "note warning missing", role: "alert", tabindex: -1, hidden: true });

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const found = missing(answers);
    if (found.length === 0) return app.go("letters");
    fields.complain(found);
    showMissing(summary, fields, found);
  }

  return [
    heading(say("notice.title")),
    lead("notice.lead"),
    note("calm", paragraph("notice.private"), paragraph("notice.names")),
    paragraph("notice.not-needed"),
    summary,
    h(
      "form",
      { novalidate: true, autocomplete: "off", onsubmit: submit },
      whoField(answers, fields),
      ...placeList(answers, fields),
      reasonsField(answers, fields),
      wordsField(answers),
      fields.add(
        "faith",
        tickField("faith", "notice.faith", answers.faith, (checked) => (answers.faith = checked)),
      ),
      contactFields(answers, fields),
      fields.add("sign", lineField(answers, "sign", "notice.sign", {}, "notice.sign-hint")),
      actions(h("button", { type: "submit", class: "button primary" }, say("notice.make"))),
    ),
    h("p", { class: "hint" }, say("notice.advice")),
  ];
}

/**
 * Says above the form what is missing, with a button that leads to each field.
 *
 * @param {HTMLElement} summary
 * @param {FormFields} fields
 * @param {import("../content/notice.js").Missing[]} found
 */
function showMissing(summary, fields, found) {
  const item = (/** @type {import("../content/notice.js").Missing} */ { field, key }) =>
    h(
      "li",
      {},
      button(key, () => fields.focus(field), "plain"),
    );
  summary.hidden = false;
  summary.replaceChildren(
    h(
      "div",
      {},
      h("p", { class: "lead" }, say("notice.missing", { count: found.length })),
      h("ul", {}, found.map(item)),
    ),
  );
  summary.focus();
}

/**
 * @param {Answers} answers
 * @param {FormFields} fields
 */
function whoField(answers, fields) {
  const field = choiceField(
    "who",
    "notice.who",
    "radio",
    [
      ["me", "notice.who-me"],
      ["child", "notice.who-child"],
      ["other", "notice.who-other"],
    ],
    [answers.who],
    ([who]) => (answers.who = /** @type {import("../content/notice.js").Who} */ (who)),
  );
  return fields.add("who", field);
}

/**
 * @param {Answers} answers
 * @param {FormFields} fields
 */
function reasonsField(answers, fields) {
  const field = choiceField(
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
  );
  return fields.add("reasons", field);
}

/** @param {Answers} answers */
function wordsField(answers) {
  return textField("words", "notice.words", {
    hint: "notice.words-hint",
    long: true,
    value: answers.words,
    keep: (text) => (answers.words = text),
  }).element;
}

/**
 * @param {Answers} answers
 * @param {FormFields} fields
 */
function contactFields(answers, fields) {
  return h(
    "fieldset",
    {},
    h("legend", {}, say("notice.contact")),
    h("p", { class: "hint" }, say("notice.contact-hint")),
    fields.add("email", lineField(answers, "email", "notice.email", { inputmode: "email", dir: "ltr" })),
    fields.add("phone", lineField(answers, "phone", "notice.phone", { inputmode: "tel", dir: "ltr" })),
  );
}

/**
 * A field for one line of text.
 *
 * @param {Answers} answers
 * @param {"email" | "phone" | "sign"} id
 * @param {import("../language/words.js").Key} label
 * @param {import("../ui/dom.js").Attributes} attributes
 * @param {import("../language/words.js").Key} [hint]
 */
function lineField(answers, id, label, attributes, hint) {
  const keep = (/** @type {string} */ text) => (answers[id] = text);
  return textField(id, label, { value: answers[id], keep, attributes, ...(hint ? { hint } : {}) });
}
