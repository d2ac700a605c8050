import { explain } from "./shared/registry-errors.js";
import { actions, button, errorLine, heading, lead, live, note, paragraph } from "../ui/parts.js";
import { say } from "../language/words.js";

/**
 * Asks for confirmation, and says what withdrawing means.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function withdraw(app) {
  const { session, registry, leaving } = app;
  const one = session.withdrawing === null ? 0 : session.withdrawing + 1;
  const told = live();
  const wrong = errorLine();
  const yes = button("withdraw.yes", () => void confirm(), "grave");

  async function confirm() {
    if (!session.owned) return;
    const { pin, status } = session.owned;
    yes.disabled = true;
    wrong.textContent = "";
    told.textContent = say("withdraw.working");
    try {
      const ownership = { number: status.number, pin };
      session.owned = { pin, status: await registry.withdraw(ownership, one ? [one - 1] : [], leaving) };
      session.notice = one ? say("withdraw.done-one", { number: one }) : say("withdraw.done");
      app.go("case");
    } catch (error) {
      if (leaving.aborted) return;
      yes.disabled = false;
      told.textContent = "";
      wrong.textContent = explain(error);
    }
  }

  return [
    heading(one ? say("withdraw.title-one", { number: one }) : say("withdraw.title")),
    lead(one ? "withdraw.means-one" : "withdraw.means"),
    note("calm", paragraph("withdraw.pressed")),
    paragraph("withdraw.others"),
    paragraph("withdraw.time"),
    paragraph("withdraw.final"),
    told,
    wrong,
    actions(
      button("withdraw.no", () => app.go("case"), "primary"),
      yes,
    ),
  ];
}
