import assert from "node:assert/strict";
import { test } from "node:test";
import { HELP_LINES } from "../../../../web/page/content/helplines.js";
import { guessCountry } from "../../../../web/page/language/country.js";

const COUNTRIES = [...new Set(Object.values(HELP_LINES).flatMap(({ country }) => country ?? []))];

test("the time zone says more than the language", () => {
  const guesses = [
    ["GB", "Europe/London", ["en-US"]],
    ["US", "America/Chicago", ["es-MX"]],
    ["BR", "America/Sao_Paulo", ["en-US"]],
    ["JP", "Asia/Tokyo", ["en"]],
    ["AU", "Australia/Perth", ["en-GB"]],
    ["DE", "UTC", ["de-DE", "en-US"]],
    ["AT", "Nowhere/Land", ["en", "de-AT"]],
    ["", "UTC", ["en"]],
    ["", "UTC", ["C", "", "x-klingon", "en_US"]],
    ["TW", "UTC", ["zh-Hant-TW"]],
    ["TW", "UTC", ["C", "zh-hant-tw"]],
    ["", "UTC", ["de-DEVA"]],
    ["", "Antarctica/Troll", ["nb-NO"]],
  ];
  for (const [country, timeZone, languages] of guesses)
    assert.equal(guessCountry(COUNTRIES, { timeZone, languages }), country, `${timeZone} ${languages}`);
});

test("each time zone of a country leads to it, and to no other country", () => {
  for (const code of COUNTRIES)
    for (const timeZone of new Intl.Locale("und", { region: code }).getTimeZones?.() ??
      new Intl.Locale("und", { region: code }).timeZones)
      assert.equal(guessCountry(COUNTRIES, { timeZone, languages: [] }), code, timeZone);
});
