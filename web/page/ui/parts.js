/** The parts that screens are made of. */
import { drawing, h } from "./dom.js";
import { say } from "../language/words.js";

/** @typedef {import("../language/words.js").Key} Key */
/** @typedef {import("../language/words.js").Values} Values */

const STEPS = 6;

/**
 * The heading of a screen, which takes the focus when the screen comes up.
 *
 * @param {string} text
 * @param {number | undefined} [step] of the way to a case
 */
export function heading(text, step) {
  return h(
    "header",
    { class: "heading" },
    step !== undefined && [
      h("p", { class: "step" }, say("frame.step", { step, steps: STEPS })),
      h("progress", { class: "way", max: STEPS, value: step, "aria-hidden": "true" }),
    ],
    h("h1", { tabindex: -1 }, text),
  );
}

/**
 * @param {Key} key
 * @param {Values} [values]
 */
export function paragraph(key, values) {
  return h("p", {}, say(key, values));
}

/** @param {Key} key */
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
 * A button whose words are a name.
 *
 * @param {string} words
 * @param {() => void} press
 */
export function press(words, press) {
  return h("button", { type: "button", class: "button second", onclick: press }, words);
}

/**
 * A block of text, letter for letter. It scrolls; the keyboard can scroll it too.
 *
 * @param {string} label
 * @param {string} text
 */
export function code(label, text) {
  return h("pre", { class: "code", dir: "ltr", tabindex: 0, role: "region", "aria-label": label }, text);
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
 * A link to another site, always in a new tab, so that nothing here is lost.
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
 * A box that stands out.
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
 * A part of a screen with a heading of its own.
 *
 * @param {Key} title
 * @param {...import("./dom.js").Child} children
 */
export function section(title, ...children) {
  return h("section", { class: "part" }, h("h2", {}, say(title)), children);
}

/**
 * Something to open for more.
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
 * A line that is read out when its words change.
 *
 * @param {string} [look]
 */
export function live(look = "status") {
  return h("p", { class: look, role: "status" });
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
 * Large buttons, one of which is the answer.
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
