/** Guesses where the person is from what the browser tells every page. Nothing is asked of anyone, and nothing is sent. */

/** The region in the tag of a language, behind its script if that is there. */
const REGION = /^[a-z]{2,3}(?:-[a-z]{4})?-([a-z]{2})\b/i;

/**
 * The first of these countries that the time zone belongs to, or else the one that the browser's languages name; empty if
 * neither says.
 *
 * @param {string[]} countries ISO 3166-1 codes
 * @param {{ timeZone: string, languages: readonly string[] }} [device]
 */
export function guessCountry(countries, { timeZone, languages } = thisDevice()) {
  const here = countries.find((code) => timeZonesOf(code).includes(timeZone));
  // Not by `Intl.Locale`, which throws at what is no language: on some systems the only one is called "C".
  const regions = languages.map((language) => REGION.exec(language)?.[1]?.toUpperCase() ?? "");
  return here ?? regions.find((region) => countries.includes(region)) ?? "";
}

function thisDevice() {
  return {
    timeZone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
    languages: navigator.languages,
  };
}

/**
 * The time zones of a country; none in a browser that does not know them.
 *
 * @param {string} code
 * @returns {string[]}
 */
function timeZonesOf(code) {
  const locale =
    /** @type {Intl.Locale & { getTimeZones?: () => string[] | undefined, timeZones?: string[] }} */ (
      new Intl.Locale("und", { region: code })
    );
  return locale.getTimeZones?.() ?? locale.timeZones ?? [];
}
