import { drawing, h } from "../ui/dom.js";
import { explain } from "./shared/faults.js";
import { actions, button, heading, live, note, paragraph, section } from "../ui/parts.js";
import { groupNumber } from "../registry/credentials.js";
import { say, sayDate, sayTime } from "../language/words.js";

/** @type {Record<import("../registry/client.js").CaseState, import("../language/words.js").Key>} */
const STATES = {
  received: "case.received",
  active: "case.active",
  withdrawn: "case.withdrawn",
  expired: "case.expired",
};

/**
 * A case: how it stands, and what platforms did.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function showCase(app) {
  const { owned } = app.session;
  if (!owned) {
    queueMicrotask(() => app.go("lookup"));
    return [];
  }
  const { status } = owned;
  app.session.adding = false;
  const told = live();
  const wrong = h("p", { class: "fault", role: "alert" });
  const { notice } = app.session;
  app.session.notice = "";
  // Set once the line is on the page, or it is not read out.
  queueMicrotask(() => (told.textContent = notice));

  async function refresh() {
    wrong.textContent = "";
    try {
      const ownership = { number: status.number, pin: owned?.pin ?? "" };
      const fresh = await app.registry.read(ownership, app.leaving);
      app.session.owned = { pin: ownership.pin, status: fresh };
      app.session.notice = say("case.refreshed", { time: sayTime(new Date()) });
      app.go("case");
    } catch (fault) {
      if (!app.leaving.aborted) wrong.textContent = explain(fault);
    }
  }

  const over = status.state === "withdrawn" || status.state === "expired";
  return [
    heading(say("case.title", { number: groupNumber(status.number) })),
    told,
    h(
      "div",
      { class: `state ${over ? "over" : ""}` },
      drawing(over ? "check" : "shield"),
      h("div", {}, h("p", { class: "lead" }, say(STATES[status.state])), h("p", {}, since(status))),
    ),
    ...(over ? after(status) : [...meanwhile(status), pickedUp(status), ...end(status)]),
    section(
      "case.pictures",
      paragraph("case.pictures-more"),
      h(
        "ul",
        { class: "files" },
        status.pictures.map((picture, at) => row(picture, at + 1, over ? null : () => withdraw(at))),
      ),
    ),
    wrong,
    actions(
      button("case.refresh", () => void refresh(), "primary"),
      !over && button("case.add", add),
      !over && button("case.withdraw", () => withdraw(null)),
      button("case.close", () => app.restart(), "plain"),
    ),
  ];

  function add() {
    app.session.adding = true;
    app.session.pictures = app.session.pictures.filter(({ stage }) => stage !== "same");
    app.go("pictures");
  }

  /** @param {number | null} at the picture, or null for all */
  function withdraw(at) {
    app.session.withdrawing = at;
    app.go("withdraw");
  }
}

/** @param {import("../registry/client.js").CaseStatus} status */
function since({ withdrawn_at, received_at }) {
  if (withdrawn_at) return say("case.withdrawn-on", { date: sayDate(withdrawn_at) });
  return say("case.sent", { date: sayDate(received_at) });
}

/** @param {import("../registry/client.js").CaseStatus} status */
function after({ state }) {
  return state === "expired" ? [paragraph("case.expired-more")] : [];
}

/** @param {import("../registry/client.js").CaseStatus} status */
function meanwhile({ state }) {
  return [paragraph(state === "received" ? "case.received-more" : "case.active-more")];
}

/** @param {import("../registry/client.js").CaseStatus} status */
function pickedUp({ platforms }) {
  return platforms ? paragraph("case.platforms", { count: platforms }) : paragraph("case.no-platform");
}

/** @param {import("../registry/client.js").CaseStatus} status */
function end({ expires_at, expires_soon }) {
  if (!expires_at) return [];
  const date = sayDate(expires_at);
  if (expires_soon) return [note("warning", paragraph("case.expires-soon", { date }))];
  return [paragraph("case.expires", { date })];
}

/**
 * @param {import("../registry/client.js").PictureStatus} picture
 * @param {number} number
 * @param {(() => void) | null} withdraw
 */
function row(picture, number, withdraw) {
  const gone = Boolean(picture.withdrawn_at);
  return h(
    "li",
    {},
    drawing(picture.blocked ? "shield" : "picture"),
    h("span", { class: "name" }, say("case.picture", { number })),
    withdraw &&
      !gone &&
      h(
        "button",
        {
          type: "button",
          class: "button plain",
          onclick: withdraw,
          "aria-label": say("case.withdraw-one-label", { number }),
        },
        say("case.withdraw-one"),
      ),
    h(
      "span",
      { class: "stage" },
      happened(picture).map((sentence) => h("span", { class: "sentence" }, sentence)),
      withdraw && gone && h("span", { class: "sentence" }, say("case.picture-withdrawn")),
    ),
  );
}

/** @param {import("../registry/client.js").PictureStatus} picture */
function happened({ blocked, platforms, first_blocked_at, last_blocked_at, pending_review, not_blocked }) {
  const last = last_blocked_at ? sayDate(last_blocked_at) : "";
  const sentences = [
    blocked ? say("case.blocked", { times: blocked, platforms, last }) : say("case.not-blocked"),
  ];
  if (blocked > 1 && first_blocked_at)
    sentences.push(say("case.first", { first: sayDate(first_blocked_at) }));
  if (pending_review) sentences.push(say("case.pending", { count: pending_review }));
  if (not_blocked) sentences.push(say("case.let-through", { count: not_blocked }));
  return sentences;
}
