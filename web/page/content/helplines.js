/**
 * Organisations that help: names, numbers and addresses, the same in every language. Each was checked in the
 * month `CHECKED` against two independent sources, both named in `sources`; others are left out.
 */

/** The month of the last check. */
export const CHECKED = "2026-11";

/** @typedef {"talk" | "crisis" | "report" | "remove" | "find" | "find-talk" | "same" | "adults"} Help */
/**
 * @typedef {object} HelpLine
 * @property {string} name
 * @property {string | null} country ISO 3166-1, or null for anywhere
 * @property {Help[]} helps what it does, the most important first
 * @property {string} address
 * @property {string} [call] a telephone number as people write it
 * @property {{ word: string, number: string }} [text] what to text, and where to
 * @property {string[]} sources
 */

/** @satisfies {Record<string, HelpLine>} */
export const HELP_LINES = {
  cybertipline: {
    name: "NCMEC CyberTipline",
    country: "US",
    helps: ["report", "remove"],
    address: "https://report.cybertip.org/",
    call: "1-800-843-5678",
    sources: ["report.cybertip.org/faqs", "tndagc.org"],
  },
  lifeline: {
    name: "988 Lifeline",
    country: "US",
    helps: ["crisis"],
    address: "https://988lifeline.org/",
    call: "988",
    sources: ["988lifeline.org", "samhsa.gov"],
  },
  crisistext: {
    name: "Crisis Text Line",
    country: "US",
    helps: ["crisis"],
    address: "https://www.crisistextline.org/",
    text: { word: "HOME", number: "741741" },
    sources: ["crisistextline.org", "wilx.com"],
  },
  childline: {
    name: "Childline",
    country: "GB",
    helps: ["talk"],
    address: "https://www.childline.org.uk/",
    call: "0800 1111",
    sources: ["childline.org.uk", "nspcc.org.uk"],
  },
  reportremove: {
    name: "Report Remove",
    country: "GB",
    helps: ["remove"],
    address: "https://www.childline.org.uk/remove",
    sources: ["iwf.org.uk/what-we-do/why-we-exist/report-remove", "learning.nspcc.org.uk"],
  },
  cybertip: {
    name: "Cybertip.ca",
    country: "CA",
    helps: ["report"],
    address: "https://www.cybertip.ca/",
    call: "1-866-658-9022",
    sources: ["cybertip.ca", "protectkidsonline.ca"],
  },
  needhelpnow: {
    name: "NeedHelpNow.ca",
    country: "CA",
    helps: ["remove"],
    address: "https://needhelpnow.ca/",
    sources: ["needhelpnow.ca", "protectkidsonline.ca"],
  },
  esafety: {
    name: "eSafety",
    country: "AU",
    helps: ["remove", "report"],
    address: "https://www.esafety.gov.au/report",
    sources: ["esafety.gov.au/report/forms", "thinkuknow.org.au"],
  },
  kidshelpphone: {
    name: "Kids Help Phone",
    country: "CA",
    helps: ["talk", "crisis"],
    address: "https://kidshelpphone.ca/",
    call: "1-800-668-6868",
    text: { word: "CONNECT", number: "686868" },
    sources: ["kidshelpphone.ca/text-about-it", "www2.yrdsb.ca/student-support/mental-health"],
  },
  kidshelpline: {
    name: "Kids Helpline",
    country: "AU",
    helps: ["talk", "crisis"],
    address: "https://kidshelpline.com.au/",
    call: "1800 55 1800",
    sources: ["yourtown.com.au", "copmi.net.au/resources/national-kids-helpline"],
  },
  childlineireland: {
    name: "Childline (ISPCC)",
    country: "IE",
    helps: ["talk", "crisis"],
    address: "https://www.childline.ie/",
    call: "1800 66 66 66",
    sources: ["independent.ie: ISPCC, 2021-12-31", "breakingnews.ie: Childline, 2017-12-26"],
  },
  nummergegenkummer: {
    name: "Nummer gegen Kummer",
    country: "DE",
    helps: ["talk"],
    address: "https://www.nummergegenkummer.de/",
    call: "116 111",
    sources: ["bmfsfj.de: anrufen, mailen, chatten gegen Sorgen", "telekom.com: Kinder- und Jugendtelefon"],
  },
  ratauf: {
    name: "Rat auf Draht",
    country: "AT",
    helps: ["talk", "crisis"],
    address: "https://www.rataufdraht.at/",
    call: "147",
    sources: ["saferinternet.at: list of help", "several public lists of crisis lines"],
  },
  f3018: {
    name: "3018 (e-Enfance)",
    country: "FR",
    helps: ["talk", "remove", "report"],
    address: "https://3018.fr/",
    call: "3018",
    sources: ["educnum.fr: Net écoute devient le 3018", "rfi.fr: le 3018, 2023-03-20"],
  },
  kindertelefoon: {
    name: "De Kindertelefoon",
    country: "NL",
    helps: ["talk"],
    address: "https://www.kindertelefoon.nl/",
    call: "0800-0432",
    sources: ["several public lists of crisis lines", "nieuws.nl: De Kindertelefoon, 2019-09-04"],
  },
  helpwanted: {
    name: "Helpwanted.nl",
    country: "NL",
    helps: ["remove", "report"],
    address: "https://www.helpwanted.nl/",
    sources: ["eokm.nl: meldingen Helpwanted.nl", "nhnieuws.nl, 2023-01"],
  },
  azzurro: {
    name: "Telefono Azzurro",
    country: "IT",
    helps: ["talk", "crisis", "report"],
    address: "https://www.azzurro.it/",
    call: "19696",
    sources: ["avvenire.it: linee attive anche a Natale", "tg24.sky.it, 2025-04-23"],
  },
  incibe: {
    name: "017 (INCIBE)",
    country: "ES",
    helps: ["talk", "remove"],
    address: "https://www.incibe.es/linea-de-ayuda-en-ciberseguridad",
    call: "017",
    sources: ["surinenglish.com, 2024-03-18", "diariosur.es, 2025-11-29"],
  },
  anar: {
    name: "Fundación ANAR",
    country: "ES",
    helps: ["talk", "crisis"],
    address: "https://www.anar.org/",
    call: "900 20 20 10",
    sources: ["several public lists of crisis lines", "laopinioncoruna.es: Fundación ANAR, 2018-05-19"],
  },
  bris: {
    name: "Bris",
    country: "SE",
    helps: ["talk"],
    address: "https://www.bris.se/",
    call: "116 111",
    sources: ["childhelplineinternational.org: 116 111", "several public lists of crisis lines"],
  },
  telefonzaufania: {
    name: "116 111 Telefon Zaufania",
    country: "PL",
    helps: ["talk", "crisis"],
    address: "https://116111.pl/",
    call: "116 111",
    sources: ["childhelplineinternational.org: 116 111", "several public lists of crisis lines"],
  },
  childlineindia: {
    name: "Childline 1098",
    country: "IN",
    helps: ["talk", "crisis", "report"],
    address: "https://www.childlineindia.org/",
    call: "1098",
    sources: ["several public lists of crisis lines", "public guides of schools in India"],
  },
  chi: {
    name: "Child Helpline International",
    country: null,
    helps: ["find-talk"],
    address: "https://childhelplineinternational.org/helplines/",
    sources: ["childhelplineinternational.org", "icmec.org/education-portal/reporting-mechanisms"],
  },
  inhope: {
    name: "INHOPE",
    country: null,
    helps: ["find"],
    address: "https://www.inhope.org/",
    sources: ["inhope.org/EN/articles/about-inhope", "better-internet-for-kids.europa.eu"],
  },
  takeitdown: {
    name: "NCMEC Take It Down",
    country: null,
    helps: ["same"],
    address: "https://takeitdown.ncmec.org/",
    sources: ["missingkids.org", "ftc.gov"],
  },
  stopncii: {
    name: "StopNCII.org",
    country: null,
    helps: ["adults"],
    address: "https://stopncii.org/",
    sources: ["stopncii.org", "transparency.meta.com"],
  },
};

/** Where a platform that ignores a notice under 47 U.S.C. 223a is reported; sources: ftc.gov, owlbrief.com. */
export const FTC = "https://takeitdown.ftc.gov/";

/** The number to call in danger. Sources: each country's government or police, and the ITU's list of emergency numbers. */
export const EMERGENCY = {
  AT: "112",
  AU: "000",
  CA: "911",
  DE: "112",
  ES: "112",
  FR: "112",
  GB: "999",
  IE: "112",
  IN: "112",
  IT: "112",
  NL: "112",
  PL: "112",
  SE: "112",
  US: "911",
};
