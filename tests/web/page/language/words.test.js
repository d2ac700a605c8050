import assert from "node:assert/strict";
import { test } from "node:test";
import { reminder } from "../../../../web/page/content/letters.js";
import { deadlineAfter } from "../../../../web/page/content/notice.js";
import { sayDate, sayMonth, sayTime } from "../../../../web/page/language/words.js";

// Node's own `navigator` came with version 21.
Object.defineProperty(globalThis, "navigator", { value: { languages: ["en-GB"] }, configurable: true });

const HOUR = 3_600_000;
/** Every hour of a leap year, in the second before it ends. */
const HOURS = Array.from({ length: 366 * 24 }, (_, hour) => new Date(Date.UTC(2028, 0, 1, hour, 59, 59)));

/** A moment as the registry writes it. @param {Date} at */
const wire = (at) => at.toISOString().replace(".000", "");

test("every hour of a leap year is said, and no two alike on one day", () => {
  const said = new Set();
  for (const at of HOURS) {
    const text = sayDate(wire(at));
    assert.equal(text, sayDate(at));
    assert.ok(sayTime(at));
    said.add(`${at.getTimezoneOffset()} ${text}`);
  }
  assert.equal(said.size, HOURS.length);
});

test("the deadline of a notice is 48 hours later, over every end of a month and of the year", () => {
  for (const at of HOURS) {
    const deadline = deadlineAfter(at);
    assert.equal(deadline.getTime() - at.getTime(), 48 * HOUR);
    const lines = reminder(deadline, { id: "1", made: at, title: "x" }).split("\r\n");
    const [starts] = lines.filter((line) => line.startsWith("DTSTART:"));
    const expected = wire(new Date(at.getTime() + 48 * HOUR)).replace(/[-:]/g, "");
    assert.equal(starts, `DTSTART:${expected}`);
    assert.match(starts, /^DTSTART:[0-9]{8}T[0-9]{6}Z$/);
  }
});

test("each month is said by its own name", () => {
  const months = Array.from({ length: 12 }, (_, month) =>
    sayMonth(`2028-${String(month + 1).padStart(2, "0")}`),
  );
  assert.equal(new Set(months).size, 12);
});
