import { h, write } from "../ui/dom.js";
import { button, heading, live, paragraph, replaceActions } from "../ui/parts.js";
import { say } from "../language/words.js";

/** @type {Record<string, import("../language/words.js").Key>} */
const WAITING = { offline: "sending.offline", slow: "sending.slow", busy: "sending.busy" };

/**
 * The message is being sent, and tried again until the registry has it.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function sending(app) {
  const { sender, session } = app;
  const before = session.ready.length;
  const told = live("lead");
  const wait = h("p", {});
  const bar = h("progress", { class: "all", "aria-label": say("sending.title") });
  const foot = h("div", { class: "actions" });

  function show() {
    const { state } = sender;
    write(told, sentence(state));
    wait.textContent = state.kind === "waiting" ? say("sending.next", { count: state.seconds }) : "";
    bar.hidden = !sender.running;
    replaceActions(foot, state.kind, () => buttons(state.kind));
  }

  /** @param {string} kind */
  function buttons(kind) {
    const back = button("frame.back", () => app.go("review"), "plain");
    if (kind === "closed") return [button("frame.back", () => app.go("case"), "primary")];
    if (kind === "refused") return [button("sending.fresh", sendNew, "primary"), back];
    if (kind === "stopped") return [button("review.send", () => void sender.start(), "primary"), back];
    const again = kind === "waiting" && button("sending.again", () => sender.tryNow(), "primary");
    return [...(again ? [again] : []), button("sending.stop", () => sender.stop())];
  }

  function arrive() {
    const left = session.pictures.length;
    if (left) session.notice = say("receipt.partly", { count: left });
    else if (session.adding) session.notice = say("case.added", { count: before });
    app.go(session.adding ? "case" : "receipt");
  }

  /** After a final refusal, sends new messages with a new PIN and new keys. */
  function sendNew() {
    session.outgoing = null;
    void sender.start();
  }

  sender.addEventListener("change", show, { signal: app.leaving });
  sender.addEventListener("sent", arrive, { signal: app.leaving });
  queueMicrotask(() => (session.unkept ? app.go("receipt") : void sender.start()));
  show();
  return [
    heading(say("sending.title"), session.adding ? undefined : 5),
    told,
    bar,
    wait,
    paragraph("sending.open"),
    foot,
  ];
}

/** @param {import("../session/sender.js").Sending} state */
function sentence(state) {
  if (state.kind === "closed") return say("case.closed");
  if (state.kind === "refused") return say("sending.refused");
  if (state.kind === "stopped") return say("sending.stopped");
  if (state.kind === "waiting") return say(WAITING[state.cause] ?? "sending.busy");
  return say("sending.now");
}
