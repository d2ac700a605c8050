import assert from "node:assert/strict";
import { test } from "node:test";
import { draft, notice, reminder, secondLetter } from "../../../../web/page/content/letters.js";
import {
  answersFor,
  choosePlatform,
  deadlineAfter,
  localMinute,
  missing,
  noAnswers,
} from "../../../../web/page/content/notice.js";

const TODAY = new Date("2026-11-23T10:00:00Z");

/** Answers in which nothing is missing. */
function complete() {
  return {
    ...noAnswers("me"),
    places: [
      { platform: "reddit", name: "", links: "https://example.com/a\nhttps://example.com/b", find: "" },
    ],
    reasons: ["minor", "never"],
    faith: true,
    email: "someone@example.com",
    sign: "Sam Example",
  };
}

test("complete answers miss nothing", () => {
  assert.deepEqual(missing(complete()), []);
});

/** @type {[string, (answers: any) => void, string[]][]} */
const ELEMENTS = [
  ["who it is for", (answers) => (answers.who = ""), ["who"]],
  ["the signature", (answers) => (answers.sign = "  "), ["sign"]],
  ["the platform", (answers) => (answers.places[0].platform = ""), ["platform-0"]],
  ["the name of another platform", (answers) => (answers.places[0].platform = "other"), ["name-0"]],
  ["where the picture is", (answers) => (answers.places[0].links = " \n "), ["links-0"]],
  ["the statement of good faith", (answers) => (answers.faith = false), ["faith"]],
  ["the reason", (answers) => (answers.reasons = []), ["reasons"]],
  ["the contact", (answers) => (answers.email = ""), ["email"]],
  ["an e-mail address that is one", (answers) => (answers.email = "someone"), ["email"]],
  [
    "links that are links",
    (answers) => (answers.places[0].links = "example.com/a\nthe blue one"),
    ["links-0"],
  ],
  ["a phone number that is one", (answers) => (answers.phone = "call me"), ["phone"]],
  ["a phone number long enough", (answers) => (answers.phone = "1234"), ["phone"]],
];
for (const [what, take, fields] of ELEMENTS) {
  test(`a notice without ${what} is refused, and the field is named`, () => {
    const answers = complete();
    take(answers);
    assert.deepEqual(
      missing(answers).map(({ field }) => field),
      fields,
    );
  });
}

test("each platform must be found on its own", () => {
  const answers = complete();
  answers.places.push({ platform: "x", name: "", links: "", find: "" });
  assert.deepEqual(
    missing(answers).map(({ field }) => field),
    ["links-1"],
  );
  answers.places[1].find = "the account @someone, on Monday";
  assert.deepEqual(missing(answers), []);
});

test("what people take for a link or a phone number is taken", () => {
  const links = [
    "https://www.reddit.com/r/a/comments/b1?x=1#c",
    "www.example.com",
    "t.me/abc",
    "https://beispiel.de:8080/ä",
  ];
  for (const phone of ["+44 7700 900123", "(555) 010-0199", "055/50100", "+1.555.010.0199"])
    assert.deepEqual(
      missing({
        ...complete(),
        phone,
        places: [{ platform: "x", name: "", links: links.join("\n"), find: "" }],
      }),
      [],
    );
});

test("the guide's platform is chosen in the first free place, once", () => {
  const answers = answersFor("now");
  choosePlatform(answers, "discord");
  choosePlatform(answers, "discord");
  assert.deepEqual(
    answers.places.map(({ platform }) => platform),
    ["discord"],
  );
  choosePlatform(answers, "reddit");
  assert.deepEqual(
    answers.places.map(({ platform }) => platform),
    ["discord", "reddit"],
  );
});

test("who writes follows from whose picture it is", () => {
  const whom = /** @type {const} */ (["now", "then", "adult", "child", "helper", null]);
  assert.deepEqual(
    whom.map((about) => answersFor(about).who),
    ["me", "me", "me", "child", "other", ""],
  );
});

test("a phone number is contact enough", () => {
  assert.deepEqual(missing({ ...complete(), email: "", phone: "555 0100" }), []);
});

test("the notice holds the four elements of the law and the 48 hours", () => {
  const answers = { ...complete(), words: "It was taken from my phone." };
  const text = notice(answers, answers.places[0], "Reddit", TODAY);
  for (const part of [
    "47 U.S.C. 223a",
    "To: Reddit",
    "https://example.com/a\nhttps://example.com/b",
    "I have a good faith belief that the intimate visual depiction identified above is not consensual.",
    "- The person shown was under 18 years old.",
    "- It was taken from my phone.",
    "E-mail: someone@example.com",
    "/s/ Sam Example\nThe identifiable individual",
    "not later than 48 hours",
    "TAKE IT DOWN ACT",
    "Please confirm receipt and give me a reference number.",
  ])
    assert.ok(text.includes(part), part);
  assert.ok(!text.includes("Telephone"));
  assert.ok(!/\n{3}|undefined|null/.test(text));
});

/** @type {[string, string][]} */
const SIGNATURES = [
  ["me", "The identifiable individual"],
  [
    "child",
    "Parent or legal guardian of the person shown\nAuthorized to act on behalf of the identifiable individual",
  ],
  ["other", "Authorized to act on behalf of the identifiable individual"],
];
for (const [who, signed] of SIGNATURES)
  test(`both letters say in what role ${who} signs`, () => {
    const answers = { ...complete(), who };
    const [place] = answers.places;
    const late = deadlineAfter(TODAY);
    for (const text of [
      notice(answers, place, "Reddit", TODAY),
      secondLetter(answers, place, "Reddit", TODAY, late),
    ])
      assert.ok(text.includes(`/s/ Sam Example\n${signed}\n`));
  });

test("the deadline is 48 hours later, over a change of the clocks too", () => {
  assert.equal(deadlineAfter(new Date("2026-03-28T12:00:00Z")).toISOString(), "2026-03-30T12:00:00.000Z");
});

test("the second letter says when the first was sent and where complaints go", () => {
  const answers = complete();
  const text = secondLetter(answers, answers.places[0], "Reddit", TODAY, deadlineAfter(TODAY));
  assert.ok(text.includes("November 23, 2026"));
  assert.ok(text.includes("November 25, 2026"));
  assert.ok(text.includes("TakeItDown.ftc.gov"));
  assert.ok(!/\d:\d\d:\d\d/.test(text), "seconds are not known");
  for (const asked of [/reference number/, /outcome with your reasons/, /without an account/])
    assert.match(text, asked);
});

test("the reminder is a calendar's entry at the deadline that does not say what it is for", () => {
  const text = reminder(deadlineAfter(TODAY), { id: "1", made: TODAY, title: "Reminder" });
  assert.ok(text.startsWith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"));
  assert.ok(text.includes("\r\nDTSTART:20261125T100000Z\r\n"));
  assert.ok(text.endsWith("END:VCALENDAR\r\n"));
  assert.ok(!/notice|picture|takeback|223a/i.test(text));
});

test("a time of sending is that of the person's clock, to the minute", () => {
  const moment = new Date(2026, 10, 23, 9, 5, 59);
  assert.equal(localMinute(moment), "2026-11-23T09:05");
  assert.equal(new Date(localMinute(moment)).getTime(), moment.getTime() - 59_000);
});

test("the e-mail draft names no one it goes to, and keeps every line", () => {
  const { link, attach } = draft("First line\n\nA & B = 100 %\n");
  assert.equal(attach, false);
  assert.ok(link.startsWith("mailto:?subject=First%20line&body="));
  assert.ok(link.endsWith("First%20line%0D%0A%0D%0AA%20%26%20B%20%3D%20100%20%25%0D%0A"));
});

test("a letter that a mail program may cut is attached instead", () => {
  const letter = `First line\n\n${"ü".repeat(400)}\n`;
  const { link, attach } = draft(letter);
  assert.equal(attach, true);
  assert.ok(link.length <= 1800);
  assert.ok(decodeURIComponent(link).endsWith("My notice is in the attached file.\r\n"));
  const longest = draft("a".repeat(400));
  assert.deepEqual([longest.attach, longest.link.length <= 1800], [false, true]);
});
