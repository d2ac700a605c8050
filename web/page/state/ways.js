/** The ways on: what a screen offers the person in a state. Screens whose buttons depend on the state draw these. */

/** @typedef {import("./types.d.ts").State} State */
/** @typedef {import("./types.d.ts").Act} Act */
/** @typedef {import("./types.d.ts").ScreenName} ScreenName */

/** @type {Act} */
const BACK = { type: "back" };

/** @param {ScreenName} to @returns {Act} */
const to = (to) => ({ type: "go", to });

/** @type {Record<ScreenName, (state: State) => Act[]>} */
const OFFERS = {
  start: () => [to("age"), to("lookup"), to("posted")],
  age: () => [to("where"), to("adult"), BACK],
  adult: () => [to("posted"), to("notice"), to("age")],
  where: () => [to("pictures"), to("urgent"), to("posted"), to("nofile"), BACK],
  pictures: () => [{ type: "hash" }, to("nofile"), BACK],
  hashing: ({ hashing }) => OFFERS_OF_HASHING[hashing],
  review: () => [{ type: "send" }, BACK],
  sending: ({ sending }) => OFFERS_OF_SENDING[sending],
  receipt: ({ receipt }) =>
    receipt === "kept" ? [to("case"), { type: "finish" }] : [{ type: "keep", kept: true }],
  lookup: () => [{ type: "look-up" }, BACK],
  case: () => [{ type: "refresh" }, { type: "add" }, to("withdraw"), { type: "finish" }],
  withdraw: ({ request }) => (request === "withdrawing" ? [] : [to("case"), { type: "withdraw" }]),
  posted: () => [to("platform"), to("notice"), to("age"), { type: "return" }],
  platform: () => [to("notice"), to("posted")],
  notice: () => [to("letters"), BACK],
  letters: () => [to("notice"), { type: "return" }],
  nofile: () => [to("posted"), to("notice"), to("urgent"), { type: "return" }],
  urgent: () => [to("age"), { type: "return" }],
  helplines: () => [{ type: "return" }],
  faq: () => [{ type: "return" }],
  how: () => [{ type: "return" }],
  unsupported: () => [],
};

/** The most important one comes first. @type {Record<State["hashing"], Act[]>} */
const OFFERS_OF_HASHING = {
  idle: [{ type: "hash" }, BACK],
  running: [{ type: "stop-hashing" }],
  stopped: [{ type: "hash" }, BACK],
  stuck: [{ type: "hash" }, BACK],
  done: [to("review"), BACK],
  none: [to("nofile"), BACK],
};

/** @type {Record<State["sending"], Act[]>} */
const OFFERS_OF_SENDING = {
  idle: [{ type: "send" }, BACK],
  sending: [{ type: "stop-sending" }],
  waiting: [{ type: "try-now" }, { type: "stop-sending" }],
  stopped: [{ type: "send" }, BACK],
  refused: [{ type: "send-anew" }, BACK],
  closed: [BACK],
  fault: [{ type: "send" }, BACK],
};

/** Screens with "Back" at the top: those whose way back is the same in every state. @type {ReadonlySet<ScreenName>} */
export const BACK_AT_TOP = new Set(
  /** @type {ScreenName[]} */ ([
    ...["age", "adult", "where", "pictures", "review", "lookup", "posted", "platform", "notice", "letters"],
    ...["nofile", "urgent", "helplines", "faq", "how"],
  ]),
);

/**
 * What the screen itself offers, without what stands around every screen.
 *
 * @param {State} state
 */
export function offers(state) {
  return OFFERS[state.screen](state);
}
