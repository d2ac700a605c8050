/** One picture on the screen that shows its hashing: how far it is, and a button to try again. */
import { say } from "../../language/words.js";
import { MIN_PDQ_QUALITY } from "../../session/session.js";
import { drawing, h, write } from "../../ui/dom.js";

/** @typedef {import("../../session/session.js").Picture} Picture */

/** What to say of errors that another try would not help. @type {Record<string, import("../../language/words.js").Key>} */
const LASTING_ERRORS = {
  "unknown-format": "hashing.unknown",
  "damaged-picture": "hashing.damaged",
  "unreadable-file": "hashing.unreadable",
  "picture-too-large": "hashing.large",
};

/** The icon of a stage; that of a picture for the others. @type {Partial<Record<Picture["stage"], import("../../ui/dom.js").Drawing>>} */
const ICONS = { done: "check", same: "check", failed: "warning" };

/**
 * The row of one picture. It is changed in place: what a person is about to press must not move or be replaced.
 *
 * @param {number} number of the picture, from 1
 * @param {() => void} retry
 */
export function hashingRow(number, retry) {
  const stage = h("span", { class: "stage" });
  const again = h(
    "button",
    {
      type: "button",
      class: "button plain",
      hidden: true,
      onclick: retry,
      "aria-label": say("hashing.retry-label", { number }),
    },
    say("hashing.retry"),
  );
  const name = h("span", { class: "name" }, say("pictures.item", { number }));
  const element = h("li", {}, drawing("picture"), name, stage, again);

  /** @param {Picture} picture */
  function show(picture) {
    if (element.className !== picture.stage) {
      element.className = picture.stage;
      element.querySelector("svg")?.replaceWith(drawing(ICONS[picture.stage] ?? "picture"));
    }
    write(stage, describe(picture));
    again.hidden = !canRetry(picture);
  }
  return { element, show };
}

/**
 * Whether another try may help: the worker crashed, or something went wrong that has nothing to do with the picture.
 *
 * @param {Picture} picture
 */
function canRetry({ stage, fault, hashed }) {
  if (stage === "done") return hashed?.unseen === "worker-crashed";
  return stage === "failed" && fault !== undefined && !(fault in LASTING_ERRORS);
}

/** @param {Picture} picture */
function describe({ stage, share, fault = "", sameAs = 0, hashed }) {
  if (stage === "failed") return say(LASTING_ERRORS[fault] ?? "hashing.crashed");
  if (stage === "same") return say("hashing.same", { number: sameAs });
  if (stage === "opening") return say("hashing.opening");
  if (stage === "making" && share !== undefined)
    return say("hashing.video", { percent: Math.floor(share * 100) });
  if (stage === "making") return say("hashing.making");
  if (stage === "waiting") return say("hashing.waiting");
  if (hashed?.unseen) return say("hashing.unseen");
  if (hashed?.quality === null) return say("hashing.exact");
  if (hashed?.incomplete) return say("hashing.incomplete");
  return say(hashed && hashed.quality < MIN_PDQ_QUALITY ? "hashing.weak" : "hashing.done");
}
