/** The fields of a form by their ids: to say what is wrong with each, and to lead to one. */
import { say } from "../../language/words.js";

/** @typedef {{ element: HTMLElement, input: HTMLElement, complain: (text: string) => void }} Field */

export class FormFields {
  /** @type {Map<string, Field>} */
  #fields = new Map();

  /**
   * @param {string} id
   * @param {Field} field
   * @returns {HTMLElement} the field's element
   */
  add(id, field) {
    this.#fields.set(id, field);
    return field.element;
  }

  /** @param {string} id */
  focus(id) {
    this.#fields.get(id)?.input.focus();
  }

  /**
   * Shows these errors, and no others, at their fields.
   *
   * @param {{ field: string, key: import("../../language/words.js").Key }[]} errors
   */
  complain(errors) {
    for (const { complain } of this.#fields.values()) complain("");
    for (const { field, key } of errors) this.#fields.get(field)?.complain(say(key));
  }
}
