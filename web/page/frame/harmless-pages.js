/**
 * Where "Leave quickly" goes: a page on the weather that anyone might have open, which can be reached where the language is
 * spoken. It belongs to the country's weather service, or to a site known there where that cannot be reached from abroad.
 */

/** Reached in most countries; not in China, Iran, Russia or Vietnam. */
const WORLD = "https://www.bbc.com/weather";
const INDIA = "https://mausam.imd.gov.in/";

/** By the codes of the page's languages. @type {Record<string, string>} */
export const HARMLESS_PAGES = {
  ar: "https://www.arabiaweather.com/",
  bn: "https://www.bmd.gov.bd/",
  cs: "https://www.chmi.cz/",
  de: "https://www.dwd.de/",
  el: "https://www.meteo.gr/",
  en: WORLD,
  es: "https://www.aemet.es/",
  fa: "https://www.irimo.ir/",
  fil: "https://www.pagasa.dost.gov.ph/",
  fr: "https://meteofrance.com/",
  ha: WORLD,
  he: "https://ims.gov.il/",
  hi: INDIA,
  id: "https://www.bmkg.go.id/",
  it: "https://www.meteoam.it/",
  ja: "https://www.jma.go.jp/",
  ko: "https://www.weather.go.kr/",
  mr: INDIA,
  nl: "https://www.knmi.nl/",
  "pa-Arab": WORLD,
  pcm: WORLD,
  pl: "https://www.imgw.pl/",
  "pt-BR": "https://portal.inmet.gov.br/",
  ro: "https://www.meteoromania.ro/",
  ru: "https://www.gismeteo.ru/",
  sv: "https://www.smhi.se/",
  sw: WORLD,
  ta: INDIA,
  te: INDIA,
  tr: "https://www.mgm.gov.tr/",
  uk: "https://www.meteo.gov.ua/",
  ur: WORLD,
  vi: "https://nchmf.gov.vn/",
  "zh-Hans": "https://www.weather.com.cn/",
  "zh-Hant": "https://www.cwa.gov.tw/",
};

/** @param {string} code of the page's language */
export function harmlessPage(code) {
  return HARMLESS_PAGES[code] ?? WORLD;
}
