/**
 * The page's state as one pure function. Screens draw a state and report events; what has to be started or stopped follows
 * from a change of the state (`effects.js`), never from drawing. web/README.md has the tables in words.
 */

/** @typedef {import("./types.d.ts").State} State */
/** @typedef {import("./types.d.ts").PageEvent} PageEvent */
/** @typedef {import("./types.d.ts").ScreenName} ScreenName */
/** @typedef {import("./types.d.ts").WayScreen} WayScreen */
/** @typedef {import("./types.d.ts").SideScreen} SideScreen */

/** @type {State} */
export const BEGINNING = {
  screen: "start",
  origin: "start",
  under: "start",
  device: "asleep",
  hashing: "idle",
  sending: "idle",
  request: "none",
  receipt: "none",
  adding: false,
  listing: "none",
  online: true,
};

/** Which screens are beside the way, and which are only looked at. @type {Record<ScreenName, "way" | "side" | "glance">} */
export const KINDS = {
  start: "way",
  age: "way",
  adult: "way",
  where: "way",
  pictures: "way",
  hashing: "way",
  review: "way",
  sending: "way",
  receipt: "way",
  lookup: "way",
  case: "way",
  withdraw: "way",
  unsupported: "way",
  posted: "side",
  platform: "side",
  notice: "side",
  letters: "side",
  nofile: "side",
  urgent: "glance",
  helplines: "glance",
  faq: "glance",
  how: "glance",
};

/**
 * Where "Back" leads from a screen; `origin` and `under` are those of the state, and null is the way out of the page.
 *
 * @type {Record<ScreenName, ScreenName | "origin" | "under" | null>}
 */
const BACK = {
  start: null,
  age: "start",
  adult: "age",
  where: "age",
  pictures: "where",
  hashing: "pictures",
  review: "pictures",
  sending: "review",
  receipt: "case",
  lookup: "start",
  case: null,
  withdraw: "case",
  unsupported: null,
  posted: "origin",
  platform: "posted",
  notice: "posted",
  letters: "notice",
  nofile: "origin",
  urgent: "under",
  helplines: "under",
  faq: "under",
  how: "under",
};

/** What an event makes of the hashing. @type {Record<string, Partial<Record<State["hashing"], State["hashing"]>>>} */
const HASHING = {
  hash: { idle: "running", stopped: "running", stuck: "running", done: "running", none: "running" },
  "stop-hashing": { running: "stopped" },
  "list-changed": { stopped: "idle", stuck: "idle", done: "idle", none: "idle" },
  "device-ready": { stuck: "running" },
};

/** What an event makes of the sending. @type {Record<string, Partial<Record<State["sending"], State["sending"]>>>} */
const SENDING = {
  send: { idle: "sending", stopped: "sending", fault: "sending" },
  "send-anew": { refused: "sending", fault: "sending" },
  "stop-sending": { sending: "stopped", waiting: "stopped" },
  trying: { waiting: "sending" },
  waits: { sending: "waiting" },
  refused: { sending: "refused", waiting: "refused" },
  closed: { sending: "closed", waiting: "closed" },
  fault: { sending: "fault", waiting: "fault" },
};

/** What an event makes of the device. @type {Record<string, Partial<Record<State["device"], State["device"]>>>} */
const DEVICE = {
  drawn: { asleep: "loading" },
  hash: { asleep: "loading", failed: "loading" },
  "retry-device": { asleep: "loading", failed: "loading" },
  online: { failed: "loading" },
  "device-ready": { asleep: "ready", loading: "ready", failed: "ready" },
  "device-failed": { asleep: "failed", loading: "failed", ready: "failed" },
  "device-unsupported": { asleep: "unsupported", loading: "unsupported", failed: "unsupported" },
};

/** What an event makes of the list of platforms: after a failure it is asked for once more. @type {Record<string, Partial<Record<State["listing"], State["listing"]>>>} */
const LISTING = { online: { failed: "none" }, refresh: { failed: "none" } };

/** What an act asks the registry, and on which screen it can. @type {Record<string, { on: ScreenName, request: State["request"] }>} */
const REQUESTS = {
  "look-up": { on: "lookup", request: "looking" },
  refresh: { on: "case", request: "refreshing" },
  withdraw: { on: "withdraw", request: "withdrawing" },
};

/** Screens that show which platforms take part. @type {ScreenName[]} */
const SHOW_PLATFORMS = ["review", "case"];

/** Screens that need a device that can hash. @type {ScreenName[]} */
const NEED_DEVICE = ["start", "pictures", "hashing"];

/**
 * The state after an event. An event that means nothing in a state leaves it as it is: the same object.
 *
 * @param {State} state
 * @param {PageEvent} event
 * @returns {State}
 */
export function next(state, event) {
  if (event.type === "leave") return { ...BEGINNING, online: state.online };
  if (event.type === "finish") return finish(state);
  return settle(move(advance(state, event), event));
}

/** @param {State} state @returns {boolean} whether a message is under way */
export function isSending({ sending }) {
  return sending === "sending" || sending === "waiting";
}

/**
 * Where the browser's Back leads from a state: a screen, or null if that is out of the page or nowhere.
 *
 * @param {State} state
 * @returns {ScreenName | null}
 */
export function backFrom(state) {
  const { screen, origin, under, adding, sending } = state;
  if (screen === "receipt" && state.receipt !== "kept") return null;
  if (screen === "pictures" && adding) return "case";
  if (screen === "sending" && sending === "closed") return "case";
  const to = BACK[screen];
  if (to === "origin") return origin;
  return to === "under" ? under : to;
}

/**
 * The regions of the state beside the screen.
 *
 * @param {State} state
 * @param {PageEvent} event
 * @returns {State}
 */
function advance(state, event) {
  const changed = {
    device: DEVICE[event.type]?.[state.device] ?? state.device,
    hashing: hashingAfter(state, event),
    sending: sendingAfter(state, event),
    request: requestAfter(state, event),
    receipt: receiptAfter(state, event),
    adding: event.type === "add" ? state.receipt === "kept" && state.screen === "case" : state.adding,
    listing: LISTING[event.type]?.[state.listing] ?? listedBy(event, state.listing),
    online: event.type === "online" || (event.type !== "offline" && state.online),
  };
  return merge(state, changed);
}

/**
 * @param {State} state
 * @param {PageEvent} event
 * @returns {State["hashing"]}
 */
function hashingAfter({ hashing, screen }, event) {
  if (event.type === "hashed" && hashing === "running") {
    if (event.left > 0) return "stuck";
    return event.ready > 0 ? "done" : "none";
  }
  if (event.type === "sent" && event.left === 0) return "idle";
  if (event.type === "list-changed" && event.count === 0) return "idle";
  if (event.type === "hash" && screen !== "pictures" && screen !== "hashing") return hashing;
  if (event.type === "back" && screen === "hashing" && hashing === "running") return "stopped";
  return HASHING[event.type]?.[hashing] ?? hashing;
}

/**
 * @param {State} state
 * @param {PageEvent} event
 * @returns {State["sending"]}
 */
function sendingAfter(state, event) {
  const { sending, screen } = state;
  if (event.type === "sent") return "idle";
  if (event.type === "list-changed" && !isSending(state)) return "idle";
  const sends = event.type === "send" || event.type === "send-anew";
  if (sends && (state.hashing !== "done" || (screen !== "review" && screen !== "sending"))) return sending;
  return SENDING[event.type]?.[sending] ?? sending;
}

/**
 * @param {State} state
 * @param {PageEvent} event
 * @returns {State["request"]}
 */
function requestAfter({ request, screen }, event) {
  if (event.type === "answered" || event.type === "unanswered") return "none";
  const asked = REQUESTS[event.type];
  return asked && asked.on === screen && request === "none" ? asked.request : request;
}

/**
 * @param {State} state
 * @param {PageEvent} event
 * @returns {State["receipt"]}
 */
function receiptAfter({ receipt, request, adding, screen }, event) {
  if (event.type === "accepted" && !adding) return "unkept";
  if (event.type === "keep" && receipt !== "none" && screen === "receipt")
    return event.kept ? "kept" : "unkept";
  if (event.type === "answered" && request === "looking") return "kept";
  return receipt;
}

/**
 * @param {PageEvent} event
 * @param {State["listing"]} listing
 * @returns {State["listing"]}
 */
function listedBy(event, listing) {
  if (event.type !== "listed" || listing !== "asking") return listing;
  return event.told ? "told" : "failed";
}

/**
 * The screen after an event, in a state whose other regions have changed already.
 *
 * @param {State} state
 * @param {PageEvent} event
 * @returns {State}
 */
function move(state, event) {
  switch (event.type) {
    case "go":
      return show(state, event.to);
    case "back":
      return show(state, backFrom(state) ?? state.screen);
    case "return":
      return show(state, KINDS[state.screen] === "glance" ? state.under : state.origin);
    case "hash":
      return state.screen === "pictures" && state.hashing === "running" ? show(state, "hashing") : state;
    case "hashed":
      return state.hashing === "done" && event.remarks === 0 ? arrive(state, "hashing", "review") : state;
    case "send":
    case "send-anew":
      return state.screen === "review" && isSending(state) ? show(state, "sending") : state;
    case "add":
      return state.adding && state.screen === "case" ? show(state, "pictures") : state;
    case "sent":
      return arrive(state, "sending", state.adding ? "case" : "receipt");
    case "answered":
      return arrive(arrive(state, "lookup", "case"), "withdraw", "case");
    case "device-unsupported":
      return NEED_DEVICE.includes(state.screen) ? show(state, "unsupported") : state;
    default:
      return state;
  }
}

/**
 * Takes the person from one screen of the way to another, at once or when they come back to it.
 *
 * @param {State} state
 * @param {WayScreen} from
 * @param {WayScreen} to
 * @returns {State}
 */
function arrive(state, from, to) {
  if (state.screen === from) return show(state, to);
  if (state.origin !== from) return state;
  return merge(state, { origin: to, under: state.under === from ? to : state.under });
}

/**
 * @param {State} state
 * @param {ScreenName} wanted
 * @returns {State}
 */
function show(state, wanted) {
  const screen = allowed(state, wanted);
  const kind = KINDS[screen];
  if (kind === "glance") return merge(state, { screen });
  if (kind === "side") return merge(state, { screen, under: /** @type {SideScreen} */ (screen) });
  const origin = /** @type {WayScreen} */ (screen);
  return merge(state, { screen, origin, under: origin });
}

/**
 * The screen to show when another is asked for: nobody walks away by mistake from a case number that they have not kept,
 * from a message that is being sent, or from a withdrawal, and no screen is shown without what it is about.
 *
 * @param {State} state
 * @param {ScreenName} wanted
 * @returns {ScreenName}
 */
function allowed(state, wanted) {
  if (KINDS[wanted] !== "way") return wanted;
  if (isSending(state)) return "sending";
  if (state.receipt === "unkept") return "receipt";
  if (state.request === "withdrawing") return "withdraw";
  const needsCase = wanted === "case" || wanted === "withdraw" || wanted === "receipt";
  if (needsCase && state.receipt === "none") return "lookup";
  if (NEED_DEVICE.includes(wanted) && state.device === "unsupported") return "unsupported";
  if (wanted === "review" && state.hashing !== "done") return "pictures";
  return wanted === "sending" && state.sending === "idle" ? allowed(state, "review") : wanted;
}

/**
 * What follows from where the person is now: who leaves a look-up drops it, and who goes back before sending begins anew.
 *
 * @param {State} state
 * @returns {State}
 */
function settle(state) {
  const { screen, origin, request } = state;
  const dropped =
    (request === "looking" && origin !== "lookup") || (request === "refreshing" && screen !== "case");
  const beforeSending = origin === "pictures" || origin === "review" || origin === "start";
  return merge(state, {
    listing: listingOn(screen, state.listing),
    sending: beforeSending && !isSending(state) ? "idle" : state.sending,
    request: dropped ? "none" : request,
    adding: state.adding && origin !== "case" && origin !== "start",
  });
}

/**
 * The list of platforms is asked for by the screens that show it, once; after a failure, by the next of them.
 *
 * @param {ScreenName} screen
 * @param {State["listing"]} listing
 * @returns {State["listing"]}
 */
function listingOn(screen, listing) {
  if (SHOW_PLATFORMS.includes(screen)) return listing === "none" ? "asking" : listing;
  return listing === "failed" ? "none" : listing;
}

/**
 * Everything that the person did is over; the device stays ready.
 *
 * @param {State} state
 * @returns {State}
 */
function finish({ device, online }) {
  const screen = device === "unsupported" ? "unsupported" : "start";
  return { ...BEGINNING, screen, origin: screen, under: screen, device, online };
}

/**
 * The state with some regions changed; the same object if they are as they were.
 *
 * @param {State} state
 * @param {Partial<State>} changed
 * @returns {State}
 */
function merge(state, changed) {
  const entries = /** @type {[keyof State, unknown][]} */ (Object.entries(changed));
  return entries.some(([key, value]) => state[key] !== value) ? { ...state, ...changed } : state;
}
