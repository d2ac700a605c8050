import assert from "node:assert/strict";
import { test } from "node:test";
import { PIN_ALPHABET, makeKey, makePin } from "../../../../web/page/registry/secrets.js";

test("a PIN has the protocol's form", () => {
  for (let i = 0; i < 200; i += 1) {
    assert.match(makePin(), new RegExp(`^[${PIN_ALPHABET}]{4}-[${PIN_ALPHABET}]{4}-[${PIN_ALPHABET}]{4}$`));
  }
});

test("a byte that would favour some characters is thrown away", () => {
  const bytes = [...Array(12).fill(255), ...Array(12).fill(240), ...Array(12).fill(239)];
  const pin = makePin((buffer) => {
    buffer.set(bytes.splice(0, buffer.length));
    return buffer;
  });
  assert.equal(pin, "ZZZZ-ZZZZ-ZZZZ");
});

test("every byte that is kept stands for each character equally often", () => {
  const counts = new Map();
  for (let byte = 0; byte < 240; byte += 1) {
    const [first] = makePin((buffer) => buffer.fill(byte));
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  assert.equal(counts.size, PIN_ALPHABET.length);
  assert.deepEqual(new Set(counts.values()), new Set([8]));
});

test("a key is 32 hex digits and keeps leading zeros", () => {
  assert.equal(
    makeKey((buffer) => buffer.fill(7)),
    "07".repeat(16),
  );
  assert.match(makeKey(), /^[0-9a-f]{32}$/);
});

test("two PINs and two keys differ", () => {
  assert.notEqual(makePin(), makePin());
  assert.notEqual(makeKey(), makeKey());
});
