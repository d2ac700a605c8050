import assert from "node:assert/strict";
import { test } from "node:test";
import { fill } from "../../../../web/page/language/format.js";

const files = { by: "count", one: "{count} file", few: "{count} soubory", other: "{count} files" };

test("names are filled in, in any order and more than once", () => {
  assert.deepEqual(fill("{b} and {a} and {b}", { a: "x", b: "y" }, "en"), ["y", " and ", "x", " and ", "y"]);
});

test("the plural form is that of the language", () => {
  const say = (count, locale) => fill(files, { count }, locale).join("");
  assert.equal(say(1, "en"), "1 file");
  assert.equal(say(0, "en"), "0 files");
  assert.equal(say(1234, "en"), "1,234 files");
  assert.equal(say(3, "cs"), "3 soubory");
  assert.equal(say(5, "cs"), "5 files");
});

test("a form that the language has and the message lacks falls back to other", () => {
  assert.equal(fill({ by: "n", other: "many" }, { n: 1 }, "en").join(""), "many");
});

test("a sentence may hang on two numbers", () => {
  const message = {
    by: "a",
    one: "one",
    other: { by: "b", one: "{a} on {b} site", other: "{a} on {b} sites" },
  };
  assert.equal(fill(message, { a: 3, b: 1 }, "en").join(""), "3 on 1 site");
  assert.equal(fill(message, { a: 3, b: 2 }, "en").join(""), "3 on 2 sites");
  assert.equal(fill(message, { a: 1, b: 2 }, "en").join(""), "one");
});

test("a value that is not text comes back as it is", () => {
  const thing = { is: "an element" };
  assert.deepEqual(fill("see {thing}.", { thing }, "en"), ["see ", thing, "."]);
});

test("a message that asks for a value that is not there is a fault", () => {
  assert.throws(() => fill("{missing}", {}, "en"), /missing/);
  assert.throws(() => fill(files, {}, "en"), /count/);
});
