import { drawing, h, write } from "../ui/dom.js";
import { platforms } from "./shared/platforms.js";
import { explain } from "./shared/registry-errors.js";
import {
  actions,
  button,
  errorLine,
  heading,
  live,
  more,
  note,
  outside,
  paragraph,
  section,
} from "../ui/parts.js";
import { HELP_LINES } from "../content/helplines.js";
import { groupNumber } from "../registry/credentials.js";
import { say, sayDate } from "../language/words.js";

/** @type {Record<import("../registry/client.js").CaseState, import("../language/words.js").Key>} */
const STATES = {
  received: "case.received",
  active: "case.active",
  withdrawn: "case.withdrawn",
  expired: "case.expired",
};

/** With more pictures their list is folded. What became of all of them stands above it. */
const MOST_UNFOLDED = 8;

/**
 * A case: its state, and what platforms did.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function showCase(app) {
  const { owned } = app.session;
  if (!owned) return [];
  const { status } = owned;
  const told = live();
  const wrong = errorLine();
  const { first } = app;
  // Screen readers say a text only if it changes after the line is on the page.
  queueMicrotask(() => write(told, first));
  app.requester.addEventListener("unanswered", () => write(wrong, explain(app.requester.error)), {
    signal: app.leaving,
  });

  function refresh() {
    write(wrong, "");
    app.tell({ type: "refresh" });
  }

  const over = status.state === "withdrawn" || status.state === "expired";
  return [
    heading(say("case.title", { number: groupNumber(status.number) })),
    told,
    stateNote(status, over),
    ...explanation(status),
    ...(over ? [] : [platforms(app, { withSites: false })]),
    pictureList(status, over ? null : withdraw),
    ...(over ? [] : [whatHappensNext(app)]),
    wrong,
    actions(
      button("case.refresh", refresh),
      !over && button("case.add", add),
      !over && button("case.withdraw", () => withdraw(null)),
      button("case.close", () => app.tell({ type: "finish" }), "plain"),
    ),
  ];

  function add() {
    app.session.pictures = app.session.pictures.filter(({ stage }) => stage !== "same");
    app.tell({ type: "add" });
  }

  /** @param {number | null} at position of the picture, or null for the whole case */
  function withdraw(at) {
    app.session.withdrawing = at;
    app.go("withdraw");
  }
}

/**
 * The pictures of a case, each with what platforms did and a button to withdraw it.
 *
 * @param {import("../registry/client.js").CaseStatus} status
 * @param {((at: number) => void) | null} withdraw null for a case that is over
 */
function pictureList({ pictures }, withdraw) {
  const rows = pictures.map((picture, at) => row(picture, at + 1, withdraw && (() => withdraw(at))));
  const part = rows.length > MOST_UNFOLDED ? more : section;
  return part("case.pictures", paragraph("case.pictures-more"), h("ul", { class: "files" }, rows));
}

/**
 * What the person can expect and do now.
 *
 * @param {import("./shared/context.d.ts").ScreenContext} app
 */
function whatHappensNext(app) {
  return section(
    "next.title",
    h("ul", {}, [
      h("li", {}, say("next.wait")),
      h("li", {}, say("next.again")),
      h("li", {}, say("next.more")),
      h(
        "li",
        {},
        outside(HELP_LINES.takeitdown.address, HELP_LINES.takeitdown.name),
        h("br"),
        say("line.same"),
      ),
    ]),
    paragraph("next.talk"),
    h(
      "div",
      { class: "actions" },
      button("frame.lines", () => app.go("helplines")),
    ),
  );
}

/**
 * The state of a case, and since when.
 *
 * @param {import("../registry/client.js").CaseStatus} status
 * @param {boolean} over
 */
function stateNote(status, over) {
  return h(
    "div",
    { class: `state ${over ? "over" : ""}` },
    drawing(over ? "check" : "shield"),
    h("div", {}, h("p", { class: "lead" }, say(STATES[status.state])), h("p", {}, since(status))),
  );
}

/** @param {import("../registry/client.js").CaseStatus} status */
function since({ withdrawn_at, received_at }) {
  if (withdrawn_at) return say("case.withdrawn-on", { date: sayDate(withdrawn_at) });
  return say("case.sent", { date: sayDate(received_at) });
}

/**
 * What the state of a case means.
 *
 * @param {import("../registry/client.js").CaseStatus} status
 */
function explanation(status) {
  const { state, platforms, small_sites: sites = 0, pictures } = status;
  if (state === "expired") return [paragraph("case.expired-more")];
  if (state === "withdrawn") return [];
  const times = pictures.reduce((sum, { blocked }) => sum + blocked, 0);
  return [
    paragraph(state === "received" ? "case.received-more" : "case.active-more"),
    ...(platforms ? [paragraph("case.platforms", { count: platforms })] : []),
    ...(sites ? [paragraph("platforms.sites", { count: sites })] : []),
    ...(platforms || sites ? [] : [paragraph("case.no-platform")]),
    times ? paragraph("case.blocked-all", { times }) : paragraph("case.not-blocked"),
    ...expiry(status),
  ];
}

/** @param {import("../registry/client.js").CaseStatus} status */
function expiry({ expires_at, expires_soon }) {
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
      events(picture).map((sentence) => h("span", { class: "sentence" }, sentence)),
      withdraw && gone && h("span", { class: "sentence" }, say("case.picture-withdrawn")),
    ),
  );
}

/**
 * What platforms did with copies of a picture, in sentences; none if nothing happened.
 *
 * @param {import("../registry/client.js").PictureStatus} picture
 */
function events({ blocked, platforms, first_blocked_at, last_blocked_at, pending_review, not_blocked }) {
  const last = last_blocked_at ? sayDate(last_blocked_at) : "";
  const sentences = blocked ? [say("case.blocked", { times: blocked, platforms, last })] : [];
  if (blocked > 1 && first_blocked_at)
    sentences.push(say("case.first", { first: sayDate(first_blocked_at) }));
  if (pending_review) sentences.push(say("case.pending", { count: pending_review }));
  if (not_blocked) sentences.push(say("case.let-through", { count: not_blocked }));
  return sentences;
}
