/** The parts that screens are made of. Their words are keys of the language files. */
import { drawing, h } from "./dom.js";
import { say } from "../language/words.js";

/** @typedef {import("../language/words.js").Key} Key */
/** @typedef {import("../language/words.js").Values} Values */

/** From the first question to the receipt. */
const STEPS = 6;

/**
 * The heading of a screen, which takes the focus when the screen comes up.
 *
 * @param {string} text
 * @param {number | undefined} [step] on the way to a case, from 1
 */
export function heading(text, step) {
  return h(
    "header",
    { class: "heading" },
    step !== undefined && stepsTo(step),
    h("h1", { tabindex: -1 }, text),
  );
}

/**
 * How far the person is: a dot for each step, and words for those who hear the page.
 *
 * @param {number} step
 */
function stepsTo(step) {
  const dots = Array.from({ length: STEPS }, (_, at) => h("span", { class: at < step ? "dot past" : "dot" }));
  return h(
    "p",
    { class: "steps" },
    dots,
    h("span", { class: "unseen" }, say("frame.step", { step, steps: STEPS })),
  );
}

/**
 * @param {Key} key
 * @param {Values} [values]
 */
export function paragraph(key, values) {
  return h("p", {}, say(key, values));
}

/**
 * The first sentence of a screen.
 *
 * @param {Key} key
 */
export function lead(key) {
  return h("p", { class: "lead" }, say(key));
}

/**
 * @param {Key} key
 * @param {() => void} press
 * @param {"primary" | "second" | "plain" | "grave"} [look]
 */
export function button(key, press, look = "second") {
  return h("button", { type: "button", class: `button ${look}`, onclick: press }, say(key));
}

/**
 * A button labelled with a name instead of a key.
 *
 * @param {string} words
 * @param {() => void} press
 */
export function press(words, press) {
  return h("button", { type: "button", class: "button second", onclick: press }, words);
}

/**
 * Text that is shown as it is. It scrolls, also with the keyboard.
 *
 * @param {string} label
 * @param {string} text
 * @param {string} [lang] of the text, if it is not the page's; its label is in the page's language all the same
 */
export function code(label, text, lang) {
  return h(
    "pre",
    { class: "code", dir: "ltr", tabindex: 0, role: "region", "aria-label": label },
    lang ? h("span", { lang }, text) : text,
  );
}

/**
 * The buttons that end a screen.
 *
 * @param {...import("./dom.js").Child} buttons
 */
export function actions(...buttons) {
  return h("div", { class: "actions" }, buttons);
}

/**
 * Shows the buttons of another state, once; if the focus was on a button, it goes to the first new one.
 *
 * @param {HTMLElement} foot
 * @param {string} state
 * @param {() => HTMLElement[]} buttons of that state
 */
export function replaceActions(foot, state, buttons) {
  if (foot.dataset["state"] === state) return;
  const focused = foot.contains(document.activeElement);
  foot.dataset["state"] = state;
  foot.replaceChildren(...buttons());
  if (focused) foot.querySelector("button")?.focus();
}

/**
 * A link to another site. It opens in a new tab, so that nothing here is lost.
 *
 * @param {string} address
 * @param {string} text
 * @param {string} [look]
 */
export function outside(address, text, look = "link") {
  return h(
    "a",
    { href: address, class: look, target: "_blank", rel: "noopener noreferrer" },
    text,
    drawing("external"),
    h("span", { class: "unseen" }, ` ${say("frame.new-tab")}`),
  );
}

/**
 * A box that draws attention.
 *
 * @param {"calm" | "warning"} kind
 * @param {...import("./dom.js").Child} children
 */
export function note(kind, ...children) {
  return h(
    "div",
    { class: `note ${kind}` },
    drawing(kind === "calm" ? "heart" : "warning"),
    h("div", {}, children),
  );
}

/**
 * Things that belong together, close to each other.
 *
 * @param {...import("./dom.js").Child} children
 */
export function group(...children) {
  return h("div", { class: "group" }, children);
}

/**
 * A part of a screen with its own heading.
 *
 * @param {Key} title
 * @param {...import("./dom.js").Child} children
 */
export function section(title, ...children) {
  return h("section", { class: "part" }, h("h2", {}, say(title)), children);
}

/**
 * Details that can be unfolded.
 *
 * @param {Key} title
 * @param {...import("./dom.js").Child} children
 */
export function more(title, ...children) {
  return h(
    "details",
    { class: "more" },
    h("summary", {}, say(title)),
    h("div", { class: "inside" }, children),
  );
}

/**
 * A live region: screen readers say its text when it changes.
 *
 * @param {string} [look]
 */
export function live(look = "status") {
  return h("p", { class: look, role: "status" });
}

/**
 * A line that says what went wrong, and is read out at once.
 *
 * @param {string} [id] for the field that it belongs to
 */
export function errorLine(id) {
  return h("p", { class: "fault", id, role: "alert" });
}

/**
 * Numbered steps, each with a heading and a sentence.
 *
 * @param {[Key, Key][]} steps
 */
export function numbered(steps) {
  return h(
    "ol",
    { class: "numbered" },
    steps.map(([title, text]) => h("li", {}, h("strong", {}, say(title)), h("p", {}, say(text)))),
  );
}

/**
 * Large buttons, one for each answer to a question.
 *
 * @param {[Key, () => void][]} answers
 */
export function choices(answers) {
  return h(
    "ul",
    { class: "choices" },
    answers.map(([key, choose]) =>
      h(
        "li",
        {},
        h("button", { type: "button", class: "choice", onclick: choose }, say(key), drawing("next")),
      ),
    ),
  );
}
