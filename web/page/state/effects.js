/** What has to be started or stopped when one state follows another. Pure, like `state.js`; `app.js` does it. */
import { isSending } from "./state.js";

/** @typedef {import("./types.d.ts").State} State */
/** @typedef {import("./types.d.ts").Effect} Effect */

/** @type {Record<State["request"], Effect | null>} */
const ASKS = { none: null, looking: "look-up", refreshing: "refresh", withdrawing: "withdraw" };

/**
 * The effects of an event, in order.
 *
 * @param {State} before
 * @param {State} after
 * @param {import("./types.d.ts").PageEvent} event
 * @returns {Effect[]}
 */
export function effectsOf(before, after, event) {
  if (event.type === "finish") return ["wipe", "renew-workers"];
  if (event.type === "leave") return ["wipe", "close"];
  return /** @type {Effect[]} */ (
    [
      before.device !== "loading" && after.device === "loading" && "prepare",
      event.type === "list-changed" && "expect",
      ...hashingEffects(before, after, event.type),
      ...sendingEffects(before, after, event.type),
      ...requestEffects(before, after, event.type),
      before.listing !== "asking" && after.listing === "asking" && "list-platforms",
    ].filter(Boolean)
  );
}

/**
 * Pictures that join a list that is being hashed are hashed too.
 *
 * @param {State} before
 * @param {State} after
 * @param {string} type of the event
 */
function hashingEffects(before, after, type) {
  const runs = after.hashing === "running";
  const ended = before.hashing === "running" && (after.hashing === "stopped" || after.hashing === "idle");
  return [
    runs && (before.hashing !== "running" || type === "hash" || type === "list-changed") && "hash",
    ended && "stop-hashing",
  ];
}

/**
 * @param {State} before
 * @param {State} after
 * @param {string} type of the event
 */
function sendingEffects(before, after, type) {
  const begins = !isSending(before) && isSending(after);
  return [
    begins && type === "send-anew" && "renew",
    begins && "send",
    isSending(before) && after.sending === "stopped" && "stop-sending",
    before.sending === "waiting" && (type === "try-now" || type === "online") && "try-now",
  ];
}

/**
 * @param {State} before
 * @param {State} after
 * @param {string} type of the event
 */
function requestEffects(before, after, type) {
  if (before.request === after.request) return [];
  const settled = type === "answered" || type === "unanswered";
  return [before.request !== "none" && !settled && "abandon-request", ASKS[after.request]];
}
