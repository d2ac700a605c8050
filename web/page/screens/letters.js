import { h, write } from "../ui/dom.js";
import { FTC } from "../content/helplines.js";
import { draft, notice, reminder, secondLetter } from "../content/letters.js";
import { deadlineAfter } from "../content/notice.js";
import { actions, button, code, heading, lead, live, more, note, outside, paragraph } from "../ui/parts.js";
import { makeKey } from "../registry/secrets.js";
import { PLATFORMS } from "../content/platforms.js";
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
  const text = notice(answers, place, name, place.sent ?? new Date());
  const told = live();
  const after = h("div", { class: "after" });

  function show() {
    if (place.sent) after.replaceChildren(...afterwards(answers, place, name, place.sent));
  }

  function sent() {
    place.sent = new Date();
    show();
    after.querySelector("p")?.focus();
  }

  show();

  return h(
    "section",
    { class: "letter" },
    h("h2", {}, say("letter.for", { name })),
    code(say("letter.for", { name }), text),
    platform && outside(platform.page, say("platform.page", { name })),
    handOver(text, told),
    told,
    h("p", { class: "hint" }, say("letter.before")),
    h("div", { class: "actions" }, button("letter.sent", sent, "primary")),
    after,
  );
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
      code(say("letter.second", { name }), second),
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
  return h(
    "div",
    { class: "keep" },
    button("letter.copy", () => void copyIt()),
    h("a", { class: "button second", href: draft(text) }, say("letter.mail")),
    button("letter.print", () => printOnly(text)),
    button("letter.text", () => save(FILES.text, new Blob([text], { type: "text/plain" }))),
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
