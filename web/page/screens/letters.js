import { h, write } from "../ui/dom.js";
import { FTC } from "../content/helplines.js";
import { draft, notice, reminder, secondLetter } from "../content/letters.js";
import { deadlineAfter, localMinute } from "../content/notice.js";
import { actions, button, code, heading, lead, live, more, note, outside, paragraph } from "../ui/parts.js";
import { makeKey } from "../registry/secrets.js";
import { PLATFORMS, reportPage } from "../content/platforms.js";
import { textField } from "../ui/fields.js";
import { copy, save } from "../ui/save.js";
import { say, sayDate } from "../language/words.js";

/** Names that do not say what is in the files. */
const FILES = { text: "paper.txt", reminder: "reminder.ics" };

/** @typedef {import("../content/notice.js").Place} Place */

/**
 * The notices, one for each platform, for the person to send.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function letters(app) {
  const { answers } = app.session;
  if (!answers) return [];
  return [
    heading(say("letter.title", { count: answers.places.length })),
    lead("letter.lead"),
    ...answers.places.map((place) => letter(answers, place)),
    note("calm", paragraph("letter.forget"), paragraph("notice.advice")),
    actions(
      button("letter.change", () => app.go("notice")),
      button("frame.return", () => app.tell({ type: "return" }), "plain"),
    ),
  ];
}

/**
 * @param {import("../content/notice.js").Answers} answers
 * @param {Place} place
 */
function letter(answers, place) {
  const platform = /** @type {Record<string, import("../content/platforms.js").Platform>} */ (PLATFORMS)[
    place.platform
  ];
  const name = platform?.name ?? place.name.trim();
  const page = platform && reportPage(platform, !answers.reasons.includes("minor"));
  const text = notice(answers, place, name, place.sent ?? new Date());
  const told = live();
  const after = h("div", { class: "after" });
  if (place.sent) after.append(...whenSent(answers, place, name, place.sent));

  function sent() {
    after.replaceChildren(...whenSent(answers, place, name, (place.sent = new Date())));
    after.querySelector("p")?.focus();
  }

  return h(
    "section",
    { class: "letter" },
    h("h2", {}, say("letter.for", { name })),
    code(say("letter.for", { name }), text, "en"),
    page && outside(page, say("platform.page", { name })),
    handOver(text, told),
    told,
    h("p", { class: "hint" }, say("letter.before")),
    h("div", { class: "actions" }, button("letter.sent", sent, "primary")),
    after,
  );
}

/**
 * The deadline and what follows from it. The time of sending can be corrected.
 *
 * @param {import("../content/notice.js").Answers} answers
 * @param {Place} place
 * @param {string} name of the platform
 * @param {Date} sent
 */
function whenSent(answers, place, name, sent) {
  const follows = h("div", { class: "after" }, afterwards(answers, place, name, sent));
  const field = textField(`sent-${answers.places.indexOf(place)}`, "letter.when", {
    value: localMinute(sent),
    attributes: { type: "datetime-local", max: localMinute(sent) },
    keep: (text) => {
      const moment = new Date(text);
      const possible = moment <= new Date();
      field.complain(possible ? "" : say("letter.when-wrong"));
      if (!possible) return;
      place.sent = moment;
      follows.replaceChildren(...afterwards(answers, place, name, moment));
    },
  });
  return [follows, field.element];
}

/**
 * The deadline, a reminder, and what to do when it has passed.
 *
 * @param {import("../content/notice.js").Answers} answers
 * @param {Place} place
 * @param {string} name of the platform
 * @param {Date} sent
 */
function afterwards(answers, place, name, sent) {
  const deadline = deadlineAfter(sent);
  const second = secondLetter(answers, place, name, sent, deadline);
  const told = live();
  const remind = () =>
    save(
      FILES.reminder,
      new Blob([reminder(deadline, { id: makeKey(), made: sent, title: "Reminder" })], {
        type: "text/calendar",
      }),
    );
  return [
    h("p", { class: "lead", tabindex: -1 }, say("letter.deadline", { date: sayDate(deadline) })),
    h("div", { class: "keep" }, button("letter.reminder", remind)),
    h("p", { class: "hint" }, say("letter.reminder-more")),
    more(
      "letter.late",
      paragraph("letter.late-more"),
      code(say("letter.second", { name }), second, "en"),
      handOver(second, told),
      told,
      outside(FTC, say("letter.ftc")),
    ),
  ];
}

/**
 * Buttons that copy, mail, print and save a letter.
 *
 * @param {string} text
 * @param {HTMLElement} told
 */
function handOver(text, told) {
  const copyIt = async () => write(told, say((await copy(text)) ? "letter.copied" : "letter.copy-failed"));
  const { link, attach } = draft(text);
  return h(
    "div",
    {},
    h(
      "div",
      { class: "keep" },
      button("letter.copy", () => void copyIt()),
      h("a", { class: "button second", href: link }, say("letter.mail")),
      button("letter.print", () => printOnly(text)),
      button("letter.text", () => save(FILES.text, new Blob([text], { type: "text/plain" }))),
    ),
    attach && h("p", { class: "hint" }, say("letter.attach")),
  );
}

/**
 * Prints a letter without the rest of the page.
 *
 * @param {string} text
 */
function printOnly(text) {
  const sheet = h("pre", { class: "sheet", dir: "ltr", lang: "en" }, text);
  document.body.append(sheet);
  addEventListener("afterprint", () => sheet.remove(), { once: true });
  print();
}
