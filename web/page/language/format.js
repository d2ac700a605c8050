/**
 * Fills messages with values, and chooses plural forms.
 *
 * @typedef {{ by: string, other: Message } & { [form in Intl.LDMLPluralRule]?: Message }} Plural
 * @typedef {string | Plural} Message text with `{names}`, or the plural forms of one number
 */

/**
 * Fills a message. Returns its parts in order, so that a value may be an element instead of text.
 *
 * @template T
 * @param {Message} message
 * @param {Record<string, T | string | number>} values
 * @param {string} locale
 * @returns {(T | string)[]}
 * @throws {Error} if a value is missing: a bug in the page
 */
export function fill(message, values, locale) {
  if (typeof message !== "string") return fill(choose(message, values, locale), values, locale);
  return message
    .split(/\{([a-z]+)\}/)
    .map((part, at) => (at % 2 === 0 ? part : show(value(values, part), locale)))
    .filter((part) => part !== "");
}

/**
 * @template T
 * @param {Plural} plural
 * @param {Record<string, T>} values
 * @param {string} locale
 * @returns {Message}
 */
function choose(plural, values, locale) {
  const form = new Intl.PluralRules(locale).select(Number(value(values, plural.by)));
  return plural[form] ?? plural.other;
}

/**
 * @template T
 * @param {Record<string, T>} values
 * @param {string} name
 * @returns {T}
 * @throws {Error} if it is missing
 */
function value(values, name) {
  const found = values[name];
  if (found === undefined) throw new Error(`the message needs a value for {${name}}`);
  return found;
}

/**
 * @template T
 * @param {T | string | number} given
 * @param {string} locale
 * @returns {T | string}
 */
function show(given, locale) {
  return typeof given === "number" ? new Intl.NumberFormat(locale).format(given) : given;
}
