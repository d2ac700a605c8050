import assert from "node:assert/strict";
import { test } from "node:test";
import { makePin } from "../../../../web/page/registry/secrets.js";
import { groupNumber, readNumber, readPin, readReceipt } from "../../../../web/page/registry/credentials.js";

test("a case number is read however it is typed", () => {
  const ways = [
    "4829157306",
    "482 915 7306",
    " 482-915-7306 ",
    "482\u00a0915\u00a07306",
    "#482.915.7306",
    "４８２９１５７３０６",
  ];
  for (const typed of [...ways, "٤٨٢٩١٥٧٣٠٦", "४८२९१५७३०६"])
    assert.deepEqual(readNumber(typed), { ok: "4829157306" }, typed);
});

test("a wrong case number says what is wrong", () => {
  assert.deepEqual(readNumber("  "), { fault: "missing", count: 0 });
  assert.deepEqual(readNumber("482 915"), { fault: "length", count: 6 });
  assert.deepEqual(readNumber("48291573067"), { fault: "length", count: 11 });
  assert.equal(readNumber("48291573O6").fault, "letters");
});

test("a PIN is read whatever its case, spaces and dashes", () => {
  const ways = [
    "K7QM-2XRW-9DHF",
    "k7qm 2xrw 9dhf",
    "k7qm2xrw9dhf",
    " K7QM – 2XRW — 9DHF\n",
    "K7QM‑2XRW‑9DHF",
    "K7QM−2XRW−9DHF",
  ];
  for (const typed of ways) assert.deepEqual(readPin(typed), { ok: "K7QM-2XRW-9DHF" }, typed);
});

test("a wrong PIN says what is wrong", () => {
  assert.deepEqual(readPin(""), { fault: "missing", count: 0 });
  assert.deepEqual(readPin("K7QM-2XRW"), { fault: "length", count: 8 });
  for (const look of "01ILOU") assert.equal(readPin(`K7QM-2XRW-9DH${look}`).fault, "letters", look);
});

test("every PIN that is made is read back", () => {
  for (let i = 0; i < 100; i += 1) {
    const pin = makePin();
    assert.deepEqual(readPin(pin.toLowerCase().replaceAll("-", " ")), { ok: pin });
  }
});

test("a case number is shown in groups that do not break, and read back", () => {
  assert.equal(groupNumber("4829157306"), "482\u00a0915\u00a07306");
  assert.deepEqual(readNumber(groupNumber("4829157306")), { ok: "4829157306" });
});

test("number and PIN are found in a receipt, with its lines or without, in any language", () => {
  const both = { number: "482\u00a0915\u00a07306", pin: "K7QM-2XRW-9DHF" };
  const { number, pin } = both;
  for (const text of [
    `Number: ${number}\nCode: ${pin}\n`,
    `Number: ${number}Code: ${pin}`,
    `${pin} ${number}`,
    `${number}${pin}`,
    `رقم: ${number} رمز: ${pin.toLowerCase()}`,
  ])
    assert.deepEqual(readReceipt(text), both, text);
  assert.deepEqual(readReceipt(`4829157306 2345-6789-2345`), { number: "4829157306", pin: "2345-6789-2345" });
});

test("a number alone, a PIN alone and other text are no receipt", () => {
  for (const text of ["", "482 915 7306", "K7QM-2XRW-9DHF", "48291573067 K7QM-2XRW-9DHF", "2345-6789-2345"])
    assert.equal(readReceipt(text), null, text);
});
