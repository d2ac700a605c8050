import { h, write } from "../ui/dom.js";
import { textField } from "../ui/fields.js";
import { explain } from "./shared/registry-errors.js";
import { actions, errorLine, heading, lead, live, more, paragraph } from "../ui/parts.js";
import { readNumber, readPin, readReceipt } from "../registry/credentials.js";
import { say } from "../language/words.js";

/** @typedef {import("../language/words.js").Key} Key */

/** @type {Record<"missing" | "length" | "letters", Key>} */
const NUMBER_ERRORS = {
  missing: "lookup.number-missing",
  length: "lookup.number-length",
  letters: "lookup.number-letters",
};
/** @type {Record<"missing" | "length" | "letters", Key>} */
const PIN_ERRORS = {
  missing: "lookup.pin-missing",
  length: "lookup.pin-length",
  letters: "lookup.pin-letters",
};

/**
 * Opens a case by its number and PIN.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function lookup(app) {
  const { number, pin } = credentialFields(app.session.typed);
  const told = live();
  const wrong = errorLine();

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const typed = { number: readNumber(number.input.value), pin: readPin(pin.input.value) };
    number.complain("fault" in typed.number ? say(NUMBER_ERRORS[typed.number.fault], typed.number) : "");
    pin.complain("fault" in typed.pin ? say(PIN_ERRORS[typed.pin.fault], typed.pin) : "");
    wrong.textContent = "";
    if ("fault" in typed.number) return number.input.focus();
    if ("fault" in typed.pin) return pin.input.focus();
    app.lookUp({ number: typed.number.ok, pin: typed.pin.ok });
    show();
  }

  function show() {
    write(told, app.state.request === "looking" ? say("lookup.looking") : "");
  }

  app.requester.addEventListener("unanswered", () => write(wrong, explain(app.requester.error)), {
    signal: app.leaving,
  });
  app.changes.addEventListener("change", show, { signal: app.leaving });
  show();
  return [
    heading(say("lookup.title")),
    lead("lookup.lead"),
    h(
      "form",
      { novalidate: true, autocomplete: "off", onsubmit: submit },
      number.element,
      pin.element,
      wrong,
      told,
      actions(h("button", { type: "submit", class: "button primary" }, say("lookup.show"))),
    ),
    more("lookup.lost", paragraph("lookup.lost-more")),
  ];
}

/**
 * The fields for number and PIN. A receipt that was pasted whole into one of them is split.
 *
 * @param {{ number: string, pin: string }} kept what is typed is kept here
 */
function credentialFields(kept) {
  const number = textField("number", "lookup.number", {
    hint: "lookup.number-hint",
    value: kept.number,
    keep: (text) => keep("number", text),
    attributes: { dir: "ltr", inputmode: "numeric" },
  });
  const pin = textField("pin", "lookup.pin", {
    hint: "lookup.pin-hint",
    value: kept.pin,
    keep: (text) => keep("pin", text),
    attributes: { dir: "ltr", autocapitalize: "characters" },
  });

  /**
   * @param {"number" | "pin"} field
   * @param {string} text
   */
  function keep(field, text) {
    kept[field] = text;
    const both = readReceipt(text);
    if (!both) return;
    Object.assign(kept, both);
    number.input.value = both.number;
    pin.input.value = both.pin;
  }

  return { number, pin };
}
