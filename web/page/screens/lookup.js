import { h } from "../ui/dom.js";
import { textField } from "../ui/fields.js";
import { explain } from "./shared/registry-errors.js";
import { actions, button, errorLine, heading, lead, live, more, paragraph } from "../ui/parts.js";
import { readNumber, readPin } from "../registry/credentials.js";
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
  const { registry, session, leaving } = app;
  const number = textField("number", "lookup.number", {
    hint: "lookup.number-hint",
    attributes: { dir: "ltr", inputmode: "numeric" },
  });
  const pin = textField("pin", "lookup.pin", {
    hint: "lookup.pin-hint",
    attributes: { dir: "ltr", autocapitalize: "characters" },
  });
  const told = live();
  const wrong = errorLine();

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const typed = { number: readNumber(number.input.value), pin: readPin(pin.input.value) };
    number.complain("fault" in typed.number ? say(NUMBER_ERRORS[typed.number.fault], typed.number) : "");
    pin.complain("fault" in typed.pin ? say(PIN_ERRORS[typed.pin.fault], typed.pin) : "");
    wrong.textContent = "";
    if ("fault" in typed.number) return number.input.focus();
    if ("fault" in typed.pin) return pin.input.focus();
    await look({ number: typed.number.ok, pin: typed.pin.ok });
  }

  /** @param {import("../registry/client.js").Ownership} ownership */
  async function look(ownership) {
    told.textContent = say("lookup.looking");
    try {
      session.owned = { pin: ownership.pin, status: await registry.read(ownership, leaving) };
      app.go("case");
    } catch (error) {
      if (leaving.aborted) return;
      told.textContent = "";
      wrong.textContent = explain(error);
    }
  }

  return [
    heading(say("lookup.title")),
    lead("lookup.lead"),
    h(
      "form",
      { novalidate: true, autocomplete: "off", onsubmit: (event) => void submit(event) },
      number.element,
      pin.element,
      wrong,
      told,
      actions(h("button", { type: "submit", class: "button primary" }, say("lookup.show"))),
    ),
    more("lookup.lost", paragraph("lookup.lost-more")),
    actions(button("frame.back", () => app.go("start"), "plain")),
  ];
}
