import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, fetchLanguage } from "../../../../web/page/language/languages.js";

const THERE = ["en", "fr", "pt-BR", "pt-PT", "zh-Hans", "zh-Hant", "uk", "he"];

/** @type {[string[], string][]} */
const WISHES = [
  [["fr-CA", "en"], "fr"],
  [["pt"], "pt-BR"],
  [["pt-PT"], "pt-PT"],
  [["pt-AO"], "pt-BR"],
  [["zh-TW"], "zh-Hant"],
  [["zh-CN"], "zh-Hans"],
  [["zh-HK", "en"], "zh-Hant"],
  [["xx", "uk-UA"], "uk"],
  [["iw"], "he"],
  [["not a language!", "fr"], "fr"],
  [["tlh"], "en"],
  [[], "en"],
];

for (const [wishes, expected] of WISHES) {
  test(`a browser that asks for ${wishes.join(", ") || "nothing"} gets ${expected}`, () => {
    assert.equal(choose(wishes, THERE), expected);
  });
}

test("a language is asked for with its hash, and an answer that is none is a fault", async () => {
  const asked = [];
  const given = globalThis.fetch;
  globalThis.fetch = async (address, ways) => {
    asked.push([address, ways.integrity]);
    return new Response("{}", { status: asked.length === 1 ? 200 : 404 });
  };
  try {
    const file = { code: "fr", address: "/words/fr.json", integrity: "sha384-x" };
    assert.deepEqual(await fetchLanguage(file), {});
    await assert.rejects(fetchLanguage(file));
  } finally {
    globalThis.fetch = given;
  }
  assert.deepEqual(asked, Array(2).fill(["/words/fr.json", "sha384-x"]));
});
