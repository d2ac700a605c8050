import { say } from "../language/words.js";
import { h, write } from "../ui/dom.js";
import { button, heading, lead, live, replaceActions } from "../ui/parts.js";
import { hashingRow } from "./shared/hashing-row.js";
import { readiness } from "./shared/readiness.js";

/** @typedef {import("../session/session.js").Picture} Picture */
/** @typedef {"running" | "stopped" | "ready" | "none"} Progress `none`: all is done, and there is nothing to send */

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
    all.value = pictures.reduce((sum, picture) => sum + shareDone(picture), 0);
    for (const [at, picture] of pictures.entries()) rows[at]?.show(picture);
    write(told, stopped ? say("hashing.stopped") : sentence(app));
    const progress = progressOf(app);
    replaceActions(foot, progress, () => buttons(app, progress, { stop, resume, back }));
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

/** @typedef {import("./shared/context.d.ts").ScreenContext} ScreenContext */

/**
 * @param {ScreenContext} app
 * @returns {Progress}
 */
function progressOf({ hasher, session }) {
  if (hasher.finished) return session.ready.length ? "ready" : "none";
  return hasher.running ? "running" : "stopped";
}

/**
 * How far it is, in words.
 *
 * @param {ScreenContext} app
 */
function sentence({ hasher, session }) {
  if (!hasher.finished) {
    const done = session.pictures.filter(isOver).length;
    return say("hashing.progress", { done, count: session.pictures.length });
  }
  const missed = session.pictures.filter((picture) => picture.stage === "failed").length;
  if (session.ready.length === 0) return say("hashing.none");
  const ready = say("hashing.finished", { count: session.ready.length });
  return missed ? `${ready} ${say("hashing.missed", { count: missed })}` : ready;
}

/**
 * @param {ScreenContext} app
 * @param {Progress} progress
 * @param {{ stop: () => void, resume: () => void, back: () => void }} press
 */
function buttons(app, progress, { stop, resume, back }) {
  const change = () => button("hashing.change", back, "plain");
  switch (progress) {
    case "running":
      return [button("hashing.stop", stop)];
    case "stopped":
      return [button("hashing.resume", resume, "primary"), change()];
    case "none":
      return [button("hashing.else", () => app.go("nofile")), change()];
    case "ready":
      return [button("hashing.continue", () => app.go("review"), "primary"), change()];
  }
}

/** @param {Picture} picture */
function isOver({ stage }) {
  return stage === "done" || stage === "same" || stage === "failed";
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
