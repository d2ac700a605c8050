/**
 * The letters to platforms, and the reminder. They are in English whatever the page's language: the law is that of the
 * United States, and platforms read them there.
 */
import { linesOf } from "./notice.js";

/** @typedef {import("./notice.js").Answers} Answers */
/** @typedef {import("./notice.js").Place} Place */

/** @type {Record<import("./notice.js").Reason, string>} */
const REASONS = {
  minor: "The person shown was under 18 years old.",
  never: "The person shown never consented to its publication.",
  fake: "It is a digital forgery: it was made or changed by artificial intelligence or other software.",
};
/** @type {Record<import("./notice.js").Who, string[]>} */
const SIGNED_AS = {
  me: ["The identifiable individual"],
  child: [
    "Parent or legal guardian of the person shown",
    "Authorized to act on behalf of the identifiable individual",
  ],
  other: ["Authorized to act on behalf of the identifiable individual"],
};
/** Characters of a `mailto:` link. Windows hands about 2,000 to a mail program, and cuts the rest without a word. */
const LONGEST_LINK = 1800;
/** The body of an e-mail whose letter is attached. */
const ATTACHED = "My notice is in the attached file.\n";

/**
 * The notice to one platform: the four elements that 47 U.S.C. 223a(a)(1)(B) asks for, what is to be done, and a receipt.
 *
 * @param {Answers} answers in which nothing is missing
 * @param {Place} place
 * @param {string} platform
 * @param {Date} today
 */
export function notice(answers, place, platform, today) {
  const { reasons, words, email, phone, sign } = answers;
  return paragraphs(
    "NOTICE UNDER THE TAKE IT DOWN ACT (47 U.S.C. 223a)",
    [`To: ${platform}`, `Date: ${day(today)}`],
    ["1. The intimate visual depiction, and where it is", ...where(place)],
    [
      "2. Statement",
      "I have a good faith belief that the intimate visual depiction identified above is not consensual.",
      "Relevant information:",
      ...reasons.map((reason) => `- ${REASONS[reason]}`),
      ...linesOf(words).map((line) => `- ${line}`),
    ],
    [
      "3. How to contact me",
      email.trim() && `E-mail: ${email.trim()}`,
      phone.trim() && `Telephone: ${phone.trim()}`,
    ],
    ["4. Signature", `/s/ ${sign.trim()}`, ...signedAs(answers)],
    "Please remove it as soon as possible, and not later than 48 hours after you receive this notice, and make " +
      "reasonable efforts to identify and remove any known identical copies: 47 U.S.C. 223a(a)(3).",
    "Please confirm receipt and give me a reference number.",
  );
}

/**
 * The letter to send when the 48 hours have passed.
 *
 * @param {Answers} answers
 * @param {Place} place
 * @param {string} platform
 * @param {Date} sent when the notice went out
 * @param {Date} deadline
 */
export function secondLetter(answers, place, platform, sent, deadline) {
  return paragraphs(
    "SECOND NOTICE UNDER THE TAKE IT DOWN ACT (47 U.S.C. 223a)",
    `To: ${platform}`,
    [`On ${moment(sent)} I sent you a valid notice under 47 U.S.C. 223a. It identified:`, ...where(place)],
    `The 48 hours ended on ${moment(deadline)}. It has not been removed.`,
    "Please remove it now, remove known identical copies, and tell me when you have done so. I am reporting this to the " +
      "Federal Trade Commission at TakeItDown.ftc.gov.",
    "Please also give me the reference number of my notice, and the outcome with your reasons. I must be able to see them, and " +
      "to answer, without an account.",
    [answers.email.trim(), answers.phone.trim()],
    [`/s/ ${answers.sign.trim()}`, ...signedAs(answers)],
  );
}

/**
 * A calendar entry for the deadline (RFC 5545), which does not say what it is for.
 *
 * @param {Date} deadline
 * @param {{ id: string, made: Date, title: string }} options
 */
export function reminder(deadline, { id, made, title }) {
  return [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Calendar//EN",
    "BEGIN:VEVENT",
    `UID:${id}`,
    `DTSTAMP:${stamp(made)}`,
    `DTSTART:${stamp(deadline)}`,
    `SUMMARY:${title}`,
    "CLASS:PRIVATE",
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "TRIGGER:PT0S",
    `DESCRIPTION:${title}`,
    "END:VALARM",
    "END:VEVENT",
    "END:VCALENDAR",
    "",
  ].join("\r\n");
}

/**
 * A `mailto:` link that opens the letter in the person's own mail program (RFC 6068); they fill in the address.
 *
 * @param {string} text
 * @returns {{ link: string, attach: boolean }} whether the letter is too long for the link, and goes along as a file
 */
export function draft(text) {
  const [subject = ""] = text.split("\n");
  const whole = mailLink(subject, text);
  const attach = whole.length > LONGEST_LINK;
  return { link: attach ? mailLink(subject, ATTACHED) : whole, attach };
}

/**
 * @param {string} subject
 * @param {string} body
 */
function mailLink(subject, body) {
  return `mailto:?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(body.replaceAll("\n", "\r\n"))}`;
}

/** @param {Answers} answers */
function signedAs({ who }) {
  return SIGNED_AS[who || "me"];
}

/** @param {Place} place */
function where({ links, find }) {
  return [...linesOf(links), ...linesOf(find)];
}

/** @param {...(string | (string | false)[])} parts each a paragraph, or its lines */
function paragraphs(...parts) {
  const blocks = parts.map((part) => (Array.isArray(part) ? part.filter(Boolean).join("\n") : part));
  return `${blocks.filter(Boolean).join("\n\n")}\n`;
}

/** @param {Date} date */
function day(date) {
  return new Intl.DateTimeFormat("en-US", { dateStyle: "long" }).format(date);
}

/** @param {Date} date */
function moment(date) {
  return new Intl.DateTimeFormat("en-US", {
    ...{ year: "numeric", month: "long", day: "numeric" },
    ...{ hour: "numeric", minute: "2-digit", timeZoneName: "short" },
  }).format(date);
}

/** @param {Date} date */
function stamp(date) {
  return date.toISOString().replace(/[-:]|\.\d+/g, "");
}
