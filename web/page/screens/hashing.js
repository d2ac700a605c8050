import { say } from "../language/words.js";
import { h, write } from "../ui/dom.js";
import { button, heading, lead, live, replaceActions } from "../ui/parts.js";
import { hashingRow } from "./shared/hashing-row.js";
import { offers } from "../state/ways.js";

/** @typedef {import("../session/session.js").Picture} Picture */

/**
 * Hashes are being made: the progress of each picture and of all together.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function hashing(app) {
  const { hasher, session } = app;
  const all = h("progress", { class: "all", "aria-label": say("hashing.all") });
  const told = live("told");
  const rows = session.pictures.map((picture, at) => hashingRow(at + 1, () => retry(picture)));
  const list = h(
    "ul",
    { class: "files", "aria-label": say("pictures.list") },
    rows.map(({ element }) => element),
  );
  const foot = h("div", { class: "actions" });
  const trouble = h("p", { class: "fault" });

  /** @param {Picture} picture */
  function retry(picture) {
    hasher.renew(picture);
    app.tell({ type: "hash" });
    foot.querySelector("button")?.focus();
  }

  function show() {
    const { pictures } = session;
    all.max = pictures.length + 1;
    all.value = pictures.reduce((sum, picture) => sum + shareDone(picture), shareReady(app));
    for (const [at, picture] of pictures.entries()) rows[at]?.show(picture);
    write(told, sentence(app));
    write(trouble, app.state.device === "failed" ? say("ready.failed") : "");
    replaceActions(foot, app.state.hashing, () => buttons(app));
  }

  hasher.addEventListener("change", show, { signal: app.leaving });
  app.preparation.addEventListener("change", show, { signal: app.leaving });
  app.changes.addEventListener("change", show, { signal: app.leaving });
  show();
  return [
    heading(say("hashing.title"), session.adding ? undefined : 4),
    lead("hashing.lead"),
    h("div", { class: "overall" }, all, told, foot),
    trouble,
    list,
  ];
}

/** @typedef {import("./shared/context.d.ts").ScreenContext} ScreenContext */

/**
 * How far it is, in words.
 *
 * @param {ScreenContext} app
 */
function sentence({ state, hasher, session }) {
  if (state.hashing === "stopped") return say("hashing.stopped");
  if (!hasher.finished) {
    const done = session.pictures.filter(isOver).length;
    return say("hashing.progress", { done, count: session.pictures.length });
  }
  const missed = session.pictures.filter((picture) => picture.stage === "failed").length;
  if (session.ready.length === 0) return say("hashing.none");
  const ready = say("hashing.finished", { count: session.ready.length });
  return missed ? `${ready} ${say("hashing.missed", { count: missed })}` : ready;
}

/** What each way on is called. @type {Record<string, import("../language/words.js").Key>} */
const LABELS = {
  hash: "hashing.resume",
  "stop-hashing": "hashing.stop",
  back: "hashing.change",
  review: "hashing.continue",
  nofile: "hashing.else",
};

/**
 * A button for each way on.
 *
 * @param {ScreenContext} app
 */
function buttons(app) {
  return offers(app.state).map((act) => {
    const name = act.type === "go" ? act.to : act.type;
    const look = name === "back" ? "plain" : name === "hash" || name === "review" ? "primary" : "second";
    return button(LABELS[name] ?? "hashing.change", () => app.tell(act), look);
  });
}

/** @param {Picture} picture */
function isOver({ stage }) {
  return stage === "done" || stage === "same" || stage === "failed";
}

/**
 * How far the device is with getting ready, from 0 to 1: it counts as one more picture.
 *
 * @param {ScreenContext} app
 */
function shareReady({ preparation: { state } }) {
  if (state.kind === "loading") return state.fraction;
  return state.kind === "ready" ? 1 : 0;
}

/**
 * How much of a picture is done, from 0 to 1: opening it counts as half of the work.
 *
 * @param {Picture} picture
 */
function shareDone(picture) {
  if (isOver(picture)) return 1;
  return picture.stage === "making" ? (picture.share ?? 0.5) : 0;
}
