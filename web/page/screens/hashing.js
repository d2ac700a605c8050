import { drawing, h, write } from "../ui/dom.js";
import { button, heading, lead, live } from "../ui/parts.js";
import { readiness } from "./shared/readiness.js";
import { say } from "../language/words.js";

/** Below this PDQ says too little to find changed copies; the same as in the core. */
const QUALITY_FLOOR = 50;

/** @typedef {import("../language/words.js").Key} Key */
/** @typedef {import("../session/session.js").Picture} Picture */

/** @type {Record<string, Key>} */
const FAULTS = {
  "unknown-format": "hashing.unknown",
  "damaged-picture": "hashing.damaged",
  "unreadable-file": "hashing.unreadable",
  "picture-too-large": "hashing.large",
};

/** @type {Partial<Record<Picture["stage"], import("../ui/dom.js").Drawing>>} */
const DRAWN = { done: "check", same: "check", failed: "warning" };

/**
 * The hashes are made: each picture's progress, and all of it.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function hashing(app) {
  const { hasher, session } = app;
  const all = h("progress", { class: "all", "aria-label": say("hashing.all") });
  const told = live("told");
  // Rows are made once and changed in place: what a person is about to press must not move or be replaced.
  const rows = session.pictures.map((picture, at) => row(at + 1, () => retry(picture)));
  const list = h(
    "ul",
    { class: "files", "aria-label": say("pictures.list") },
    rows.map(({ element }) => element),
  );
  const foot = h("div", { class: "actions" });
  let stopped = false;

  function stop() {
    stopped = true;
    hasher.stop();
  }

  function resume() {
    stopped = false;
    void hasher.run();
    show();
  }

  /** @param {Picture} picture */
  function retry(picture) {
    hasher.retry(picture);
    foot.querySelector("button")?.focus();
  }

  function back() {
    hasher.stop();
    app.go("pictures");
  }

  function show() {
    const { pictures } = session;
    all.max = pictures.length;
    all.value = pictures.reduce((sum, picture) => sum + share(picture), 0);
    for (const [at, picture] of pictures.entries()) rows[at]?.show(picture);
    write(told, sentence());
    showButtons();
  }

  function sentence() {
    if (stopped) return say("hashing.stopped");
    if (!hasher.finished) {
      const done = session.pictures.filter(isOver).length;
      return say("hashing.progress", { done, count: session.pictures.length });
    }
    const missed = session.pictures.filter((picture) => picture.stage === "failed").length;
    if (session.ready.length === 0) return say("hashing.none");
    const ready = say("hashing.finished", { count: session.ready.length });
    return missed ? `${ready} ${say("hashing.missed", { count: missed })}` : ready;
  }

  function showButtons() {
    const state = hasher.finished
      ? session.ready.length
        ? "ready"
        : "none"
      : hasher.running
        ? "running"
        : "stopped";
    if (foot.dataset["state"] === state) return;
    const focused = foot.contains(document.activeElement);
    foot.dataset["state"] = state;
    foot.replaceChildren(...buttons(state));
    if (focused) foot.querySelector("button")?.focus();
  }

  /** @param {string} state */
  function buttons(state) {
    if (state === "running") return [button("hashing.stop", stop)];
    if (state === "stopped")
      return [button("hashing.resume", resume, "primary"), button("hashing.change", back, "plain")];
    if (state === "none")
      return [button("hashing.else", () => app.go("nofile")), button("hashing.change", back, "plain")];
    return [
      button("hashing.continue", () => app.go("review"), "primary"),
      button("hashing.change", back, "plain"),
    ];
  }

  hasher.addEventListener("change", show, { signal: app.leaving });
  resume();
  return [
    heading(say("hashing.title"), session.adding ? undefined : 4),
    lead("hashing.lead"),
    h("div", { class: "overall" }, all, told, foot),
    readiness(app),
    list,
  ];
}

/** @param {Picture} picture */
function isOver({ stage }) {
  return stage === "done" || stage === "same" || stage === "failed";
}

/**
 * How much of a picture is done: opening it is half of the work.
 *
 * @param {Picture} picture
 */
function share(picture) {
  return isOver(picture) ? 1 : picture.stage === "making" ? (picture.share ?? 0.5) : 0;
}

/**
 * The line of one picture.
 *
 * @param {number} number
 * @param {() => void} retry
 */
function row(number, retry) {
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
      element.querySelector("svg")?.replaceWith(drawing(DRAWN[picture.stage] ?? "picture"));
    }
    write(stage, told(picture));
    again.hidden = !mayTryAgain(picture);
  }
  return { element, show };
}

/**
 * Whether what went wrong was not the picture's fault.
 *
 * @param {Picture} picture
 */
function mayTryAgain({ stage, fault, hashed }) {
  if (stage === "done") return hashed?.unseen === "worker-crashed";
  return stage === "failed" && fault !== undefined && !(fault in FAULTS);
}

/** @param {Picture} picture */
function told({ stage, share, fault = "", sameAs = 0, hashed }) {
  if (stage === "failed") return say(FAULTS[fault] ?? "hashing.crashed");
  if (stage === "same") return say("hashing.same", { number: sameAs });
  if (stage === "opening") return say("hashing.opening");
  if (stage === "making" && share !== undefined)
    return say("hashing.video", { percent: Math.floor(share * 100) });
  if (stage === "making") return say("hashing.making");
  if (stage === "waiting") return say("hashing.waiting");
  if (hashed?.unseen) return say("hashing.unseen");
  if (hashed?.quality === null) return say("hashing.exact");
  if (hashed?.incomplete) return say("hashing.incomplete");
  return say(hashed && hashed.quality < QUALITY_FLOOR ? "hashing.weak" : "hashing.done");
}
