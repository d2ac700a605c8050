import { h, write } from "../ui/dom.js";
import { actions, button, heading, lead, live, more, note, paragraph } from "../ui/parts.js";
import { copy, save } from "../ui/save.js";
import { codeOf, pictureOf } from "../ui/receipt-image.js";
import { groupNumber } from "../registry/credentials.js";
import { say } from "../language/words.js";

/** Names that say nothing. */
const FILES = { text: "notes.txt", picture: "notes.png" };

/**
 * The case number and the PIN, to keep.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function receipt(app) {
  const { session } = app;
  if (!session.owned) {
    queueMicrotask(() => app.go("lookup"));
    return [];
  }
  const { pin, status } = session.owned;
  const kept = { number: groupNumber(status.number), pin };
  const words = say("receipt.file", kept);
  const told = live();
  const wrong = h("p", { class: "fault", id: "kept-fault", role: "alert" });
  const tick = h("input", { type: "checkbox", id: "kept", autocomplete: "off", onchange: ticked });
  const { notice } = session;
  session.notice = "";

  function ticked() {
    session.unkept = !tick.checked;
    if (tick.checked) complain("");
  }

  /** @param {string} fault */
  function complain(fault) {
    wrong.textContent = fault;
    tick.toggleAttribute("aria-invalid", fault !== "");
    if (fault) tick.setAttribute("aria-describedby", wrong.id);
    else tick.removeAttribute("aria-describedby");
  }

  /** @param {() => void} go on, but not before the two are kept */
  function once(go) {
    if (tick.checked) return go();
    complain(say("receipt.kept-first"));
    tick.focus();
  }

  async function copyBoth() {
    write(told, say((await copy(words)) ? "receipt.copied" : "receipt.copy-failed"));
  }

  /**
   * @param {string} name
   * @param {Blob | null} content nothing when the browser would not make it
   */
  function keep(name, content) {
    if (content) save(name, content);
    write(told, content ? say("receipt.saved", { name }) : say("receipt.save-failed"));
  }

  return [
    heading(say("receipt.title"), 6),
    lead("receipt.lead"),
    ...(notice ? [note("warning", h("p", {}, notice))] : []),
    h(
      "dl",
      { class: "ticket" },
      h("div", {}, h("dt", {}, say("receipt.number")), h("dd", { dir: "ltr", translate: "no" }, kept.number)),
      h("div", {}, h("dt", {}, say("receipt.pin")), h("dd", { dir: "ltr", translate: "no" }, kept.pin)),
    ),
    h(
      "div",
      { class: "keep" },
      button("receipt.copy", () => void copyBoth()),
      button("receipt.text", () => keep(FILES.text, new Blob([words], { type: "text/plain" }))),
      button("receipt.image", async () => keep(FILES.picture, await pictureOf([kept.number, kept.pin]))),
      button("receipt.print", () => print()),
    ),
    told,
    more("receipt.code", paragraph("receipt.code-more"), codeOf(words, say("receipt.code-label"))),
    more(
      "receipt.hide",
      h(
        "ul",
        {},
        h("li", {}, say("receipt.hide-paper")),
        h("li", {}, say("receipt.hide-note")),
        h("li", {}, say("receipt.hide-trust")),
        h("li", {}, say("receipt.hide-screen")),
        h("li", {}, say("receipt.hide-downloads")),
        h("li", {}, say("receipt.hide-clipboard")),
      ),
    ),
    note("warning", paragraph("receipt.warning")),
    h("p", {}, say("receipt.where", { address: location.host })),
    h("div", {}, h("div", { class: "tick" }, tick, h("label", { for: "kept" }, say("receipt.kept"))), wrong),
    actions(
      button("receipt.case", () => once(() => app.go("case")), "primary"),
      button("receipt.finish", () => once(() => app.restart())),
    ),
  ];
}
