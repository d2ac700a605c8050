/** Fields of forms, each with a label, a hint and an error of its own. */
import { h, write } from "./dom.js";
import { say } from "../language/words.js";

/** @typedef {import("../language/words.js").Key} Key */

/** The browser neither stores what is typed nor sends it to a spelling service. */
const PRIVATE = { autocomplete: "off", autocorrect: "off", autocapitalize: "off", spellcheck: "false" };

/**
 * A text field.
 *
 * @param {string} id
 * @param {Key} label
 * @param {object} [options]
 * @param {Key} [options.hint]
 * @param {boolean} [options.long] whether it has several lines
 * @param {string} [options.value]
 * @param {(text: string) => void} [options.keep] gets every change
 * @param {import("./dom.js").Attributes} [options.attributes]
 */
export function textField(id, label, { hint, long = false, value = "", keep, attributes } = {}) {
  const fault = faultLine(id);
  const input = h(long ? "textarea" : "input", {
    id,
    ...(long ? { rows: 3 } : { type: "text" }),
    ...PRIVATE,
    "aria-describedby": `${hint ? `${id}-hint ` : ""}${fault.id}`,
    oninput: () => keep?.(input.value),
    ...attributes,
  });
  input.value = value;
  const element = h(
    "div",
    { class: "field" },
    h("label", { for: id }, say(label)),
    hint && h("p", { class: "hint", id: `${id}-hint` }, say(hint)),
    fault,
    input,
  );
  return { element, input, complain: complainer(fault, input) };
}

/**
 * A list to choose one value from. The first choice stands for none.
 *
 * @param {string} id
 * @param {Key} label
 * @param {[string, string][]} choices values and their labels
 * @param {string} value
 * @param {(value: string) => void} keep
 */
export function selectField(id, label, choices, value, keep) {
  const fault = faultLine(id);
  const input = h(
    "select",
    { id, autocomplete: "off", "aria-describedby": fault.id, onchange: () => keep(input.value) },
    choices.map(([one, words]) => h("option", { value: one, selected: one === value }, words)),
  );
  const element = h("div", { class: "field" }, h("label", { for: id }, say(label)), fault, input);
  return { element, input, complain: complainer(fault, input) };
}

/**
 * A group of check boxes, or of radio buttons.
 *
 * @param {string} id
 * @param {Key} legend
 * @param {"radio" | "checkbox"} type
 * @param {[string, Key][]} choices values and their labels
 * @param {string[]} chosen
 * @param {(chosen: string[]) => void} keep
 */
export function choiceField(id, legend, type, choices, chosen, keep) {
  const fault = faultLine(id);
  const inputs = choices.map(([value]) =>
    h("input", {
      type,
      id: `${id}-${value}`,
      name: id,
      value,
      autocomplete: "off",
      checked: chosen.includes(value),
      "aria-describedby": fault.id,
      onchange: () => keep(inputs.filter((one) => one.checked).map((one) => one.value)),
    }),
  );
  const element = h(
    "fieldset",
    {},
    h("legend", {}, say(legend)),
    fault,
    choices.map(([value, words], at) => tick(inputs[at] ?? "", `${id}-${value}`, words)),
  );
  const [first] = inputs;
  return { element, input: /** @type {HTMLInputElement} */ (first), complain: complainer(fault, ...inputs) };
}

/**
 * A single check box.
 *
 * @param {string} id
 * @param {Key} label
 * @param {boolean} checked
 * @param {(checked: boolean) => void} keep
 */
export function tickField(id, label, checked, keep) {
  const fault = faultLine(id);
  const input = h("input", {
    type: "checkbox",
    id,
    autocomplete: "off",
    checked,
    "aria-describedby": fault.id,
    onchange: () => keep(input.checked),
  });
  const element = h("div", {}, fault, tick(input, id, label));
  return { element, input, complain: complainer(fault, input) };
}

/**
 * @param {Node | string} input
 * @param {string} id
 * @param {Key} words
 */
function tick(input, id, words) {
  return h("div", { class: "tick" }, input, h("label", { for: id }, say(words)));
}

/** @param {string} id of the field */
function faultLine(id) {
  return h("p", { class: "fault", id: `${id}-fault` });
}

/**
 * @param {HTMLElement} fault
 * @param {...HTMLElement} inputs
 * @returns {(text: string) => void} shows an error at the field, or removes it if the text is empty
 */
function complainer(fault, ...inputs) {
  return (text) => {
    write(fault, text);
    for (const input of inputs) input.setAttribute("aria-invalid", String(text !== ""));
  };
}
