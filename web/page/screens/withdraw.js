import { write } from "../ui/dom.js";
import { explain } from "./shared/registry-errors.js";
import { actions, button, errorLine, heading, lead, live, note, paragraph } from "../ui/parts.js";
import { say } from "../language/words.js";

/**
 * Asks for confirmation, and says what withdrawing means.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function withdraw(app) {
  const one = app.session.withdrawing === null ? 0 : app.session.withdrawing + 1;
  const told = live();
  const wrong = errorLine();
  const yes = button("withdraw.yes", confirm, "grave");
  const no = button("withdraw.no", () => app.go("case"), "primary");

  function confirm() {
    write(wrong, "");
    app.tell({ type: "withdraw" });
  }

  // The buttons stay where the focus is: one that is disabled loses it.
  function show() {
    const working = app.state.request === "withdrawing";
    write(told, working ? say("withdraw.working") : "");
    for (const press of [yes, no]) press.setAttribute("aria-disabled", String(working));
  }

  app.requester.addEventListener("unanswered", () => write(wrong, explain(app.requester.error)), {
    signal: app.leaving,
  });
  app.changes.addEventListener("change", show, { signal: app.leaving });
  show();
  return [
    heading(one ? say("withdraw.title-one", { number: one }) : say("withdraw.title")),
    lead(one ? "withdraw.means-one" : "withdraw.means"),
    note("calm", paragraph("withdraw.pressed")),
    paragraph("withdraw.others"),
    paragraph("withdraw.time"),
    paragraph("withdraw.final"),
    told,
    wrong,
    actions(no, yes),
  ];
}
