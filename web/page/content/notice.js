/** The answers for a removal notice under 47 U.S.C. 223a, and which of them are missing. They never leave the device. */

/** A platform must remove the picture within this time of receiving a valid notice: 47 U.S.C. 223a(a)(3). */
const DEADLINE_HOURS = 48;
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
/** Digits with what people write between them; at least 5, as in the shortest numbers with an area, and 15 at most (E.164). */
const PHONE = /^\+?(?:[\s().\/-]*\d){5,15}[\s().\/-]*$/;
/** Starts as a link does: `https://`, `www.`, or a host with a slash after it. */
const LINK = /^(?:https?:\/\/|www\.)?(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}(?::\d+)?(?:[/?#]\S*)?$/iu;

/** @typedef {"me" | "child" | "other"} Who */
/** @typedef {"minor" | "never" | "fake"} Reason */
/**
 * @typedef {object} Place one platform, and where the picture is on it
 * @property {string} platform a key of `PLATFORMS`, `other`, or empty
 * @property {string} name of another platform
 * @property {string} links one per line
 * @property {string} find how to find it without a link
 * @property {Date} [sent] when the notice went out, as the person says
 */
/**
 * @typedef {object} Answers
 * @property {Who | ""} who it is written for
 * @property {Place[]} places
 * @property {Reason[]} reasons
 * @property {string} words
 * @property {boolean} faith
 * @property {string} email
 * @property {string} phone
 * @property {string} sign
 */
/** @typedef {{ field: string, key: import("../language/words.js").Key }} Missing the field's id, and what to say at it */

/**
 * @param {Who | ""} who
 * @returns {Answers}
 */
export function noAnswers(who) {
  return { who, places: [noPlace()], reasons: [], words: "", faith: false, email: "", phone: "", sign: "" };
}

/**
 * Empty answers for a person who said whose picture it is.
 *
 * @param {"now" | "then" | "child" | "helper" | "adult" | null} about
 */
export function answersFor(about) {
  if (about === "child") return noAnswers("child");
  if (about === "helper") return noAnswers("other");
  return noAnswers(about ? "me" : "");
}

/**
 * Chooses a platform in the first place that has none, unless it is chosen already.
 *
 * @param {Answers} answers
 * @param {string} platform
 */
export function choosePlatform(answers, platform) {
  if (answers.places.some((place) => place.platform === platform)) return;
  const free = answers.places.find((place) => !place.platform);
  if (free) free.platform = platform;
  else answers.places.push({ ...noPlace(), platform });
}

/** @returns {Place} */
export function noPlace() {
  return { platform: "", name: "", links: "", find: "" };
}

/**
 * Whether the person has answered anything themselves.
 *
 * @param {Answers} answers
 */
export function isFilled({ who: _given, ...answers }) {
  const { who: _none, ...empty } = noAnswers("");
  return JSON.stringify(answers) !== JSON.stringify(empty);
}

/**
 * What the law requires and is still missing, in the order of the form: 47 U.S.C. 223a(a)(1)(B).
 *
 * @param {Answers} answers
 * @returns {Missing[]}
 */
export function missing({ who, places, reasons, faith, email, phone, sign }) {
  /** @type {Missing[]} */
  const found = [];
  if (!who) found.push({ field: "who", key: "notice.who-missing" });
  for (const [at, { platform, name, links, find }] of places.entries()) {
    if (!platform) found.push({ field: `platform-${at}`, key: "notice.platform-missing" });
    else if (platform === "other" && blank(name))
      found.push({ field: `name-${at}`, key: "notice.platform-missing" });
    if (blank(links) && blank(find)) found.push({ field: `links-${at}`, key: "notice.find-missing" });
    else if (!linesOf(links).every((link) => LINK.test(link)))
      found.push({ field: `links-${at}`, key: "notice.link-wrong" });
  }
  if (reasons.length === 0) found.push({ field: "reasons", key: "notice.reason-missing" });
  if (!faith) found.push({ field: "faith", key: "notice.faith-missing" });
  if (blank(email) && blank(phone)) found.push({ field: "email", key: "notice.contact-missing" });
  else if (!blank(email) && !EMAIL.test(email.trim()))
    found.push({ field: "email", key: "notice.email-wrong" });
  if (!blank(phone) && !PHONE.test(phone.trim())) found.push({ field: "phone", key: "notice.phone-wrong" });
  if (blank(sign)) found.push({ field: "sign", key: "notice.sign-missing" });
  return found;
}

/**
 * A time as a `datetime-local` field has it, in the person's time zone and without seconds: `2026-11-23T10:00`.
 *
 * @param {Date} moment
 */
export function localMinute(moment) {
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, "2026-11-23T10:00".length);
}

/** @param {Date} sent */
export function deadlineAfter(sent) {
  return new Date(sent.getTime() + DEADLINE_HOURS * 3_600_000);
}

/** @param {string} text */
export function linesOf(text) {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

/** @param {string} text */
function blank(text) {
  return text.trim() === "";
}
