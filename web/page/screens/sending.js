import { h, write } from "../ui/dom.js";
import { button, heading, live, paragraph, replaceActions } from "../ui/parts.js";
import { say } from "../language/words.js";
import { isSending } from "../state/state.js";
import { offers } from "../state/ways.js";

/** @type {Record<string, import("../language/words.js").Key>} */
const WAITING = { offline: "sending.offline", slow: "sending.slow", busy: "sending.busy" };

/**
 * The message is being sent, and tried again until the registry has it.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function sending(app) {
  const told = live("lead");
  const wait = h("p", {});
  const bar = h("progress", { class: "all", "aria-label": say("sending.title") });
  const foot = h("div", { class: "actions" });

  function show() {
    const { state } = app.sender;
    write(told, sentence(app));
    wait.textContent = state.kind === "waiting" ? say("sending.next", { count: state.seconds }) : "";
    bar.hidden = !isSending(app.state);
    replaceActions(foot, app.state.sending, () => buttons(app));
  }

  app.changes.addEventListener("change", show, { signal: app.leaving });
  show();
  return [
    heading(say("sending.title"), app.session.adding ? undefined : 5),
    told,
    bar,
    wait,
    paragraph("sending.open"),
    foot,
  ];
}

/**
 * A button for each way on.
 *
 * @param {import("./shared/context.d.ts").ScreenContext} app
 */
function buttons(app) {
  const again = app.state.sending === "fault" ? "sending.fresh" : "review.send";
  /** @type {Record<string, import("../language/words.js").Key>} */
  const labels = {
    send: again,
    "send-anew": "sending.fresh",
    "try-now": "sending.again",
    "stop-sending": "sending.stop",
    back: "frame.back",
  };
  const ways = offers(app.state);
  return ways.map((act) => button(labels[act.type] ?? "frame.back", () => app.tell(act), lookOf(act, ways)));
}

/**
 * @param {import("../state/types.d.ts").Act} act
 * @param {import("../state/types.d.ts").Act[]} ways
 */
function lookOf(act, ways) {
  if (act.type === "stop-sending") return "second";
  return act === ways[0] ? "primary" : "plain";
}

/** @param {import("./shared/context.d.ts").ScreenContext} app */
function sentence({ state: { sending }, sender }) {
  if (sending === "closed") return say("case.closed");
  if (sending === "refused") return say("sending.refused");
  if (sending === "stopped") return say("sending.stopped");
  if (sending === "fault") return say(isSecureContext ? "sending.fault" : "sending.insecure");
  if (sender.state.kind === "waiting") return say(WAITING[sender.state.cause] ?? "sending.busy");
  return say("sending.now");
}
