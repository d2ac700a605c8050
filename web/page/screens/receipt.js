import { drawing, h, write } from "../ui/dom.js";
import {
  actions,
  button,
  errorLine,
  group,
  heading,
  lead,
  live,
  more,
  note,
  paragraph,
} from "../ui/parts.js";
import { copy, save as saveFile } from "../ui/save.js";
import { imageOf, qrCode } from "../ui/receipt-image.js";
import { groupNumber } from "../registry/credentials.js";
import { say } from "../language/words.js";

/** Names that do not say what is in the files. */
const FILES = { text: "notes.txt", picture: "notes.png" };

/**
 * The case number and the PIN, for the person to keep.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function receipt(app) {
  const { session } = app;
  if (!session.owned) return [];
  const { pin, status } = session.owned;
  const kept = { number: groupNumber(status.number), pin };
  const words = say("receipt.file", kept);
  const told = live();
  const { tick, onceKept } = keptTick(app);

  /**
   * @param {string} name
   * @param {Blob | null} content null if the browser could not make it
   */
  function saveAs(name, content) {
    if (content) saveFile(name, content);
    write(told, content ? say("receipt.saved", { name }) : say("receipt.save-failed"));
  }

  const asText = () => saveAs(FILES.text, new Blob([words], { type: "text/plain" }));
  const save = button("receipt.save", asText, "primary");
  return [
    heading(say("receipt.title"), 6),
    lead("receipt.lead"),
    ...(app.first ? [note("warning", h("p", {}, app.first))] : []),
    ticket(kept),
    group(actions(save), told),
    otherWays(words, kept, saveAs, told),
    hidingPlaces(),
    h("p", {}, say("receipt.where", { address: location.host })),
    tick,
    actions(
      button("receipt.case", () => onceKept(() => app.go("case"))),
      button("receipt.finish", () => onceKept(() => app.tell({ type: "finish" }))),
    ),
  ];
}

/** @typedef {{ number: string, pin: string }} Kept as they are shown */

/**
 * Copying, a picture, printing, and a code for another phone.
 *
 * @param {string} words what is copied
 * @param {Kept} kept
 * @param {(name: string, content: Blob | null) => void} saveAs
 * @param {HTMLElement} told says whether it worked
 */
function otherWays(words, { number, pin }, saveAs, told) {
  const copyBoth = async () =>
    write(told, say((await copy(words)) ? "receipt.copied" : "receipt.copy-failed"));

  return more(
    "receipt.more",
    h(
      "div",
      { class: "keep" },
      button("receipt.copy", () => void copyBoth()),
      button("receipt.image", async () => saveAs(FILES.picture, await imageOf([number, pin]))),
      button("receipt.print", () => print()),
    ),
    more("receipt.code", paragraph("receipt.code-more"), qrCode(words, say("receipt.code-label"))),
  );
}

/**
 * The box that the person ticks to say that they kept number and PIN. Nothing goes on before that.
 *
 * @param {import("./shared/context.d.ts").ScreenContext} app
 */
function keptTick(app) {
  const wrong = errorLine("kept-fault");
  const box = h("input", { type: "checkbox", id: "kept", autocomplete: "off", onchange: update });
  box.checked = app.state.receipt === "kept";

  function update() {
    app.tell({ type: "keep", kept: box.checked });
    if (box.checked) complain("");
  }

  /** @param {string} error empty for none */
  function complain(error) {
    wrong.textContent = error;
    box.toggleAttribute("aria-invalid", error !== "");
    if (error) box.setAttribute("aria-describedby", wrong.id);
    else box.removeAttribute("aria-describedby");
  }

  /** @param {() => void} go what to do if it is ticked */
  function onceKept(go) {
    if (box.checked) return go();
    complain(say("receipt.kept-first"));
    box.focus();
  }

  const label = h("label", { for: "kept" }, say("receipt.kept"));
  return { tick: h("div", {}, h("div", { class: "tick" }, box, label), wrong), onceKept };
}

/** @param {Kept} kept */
function ticket({ number, pin }) {
  const entry = (/** @type {string} */ name, /** @type {string} */ value) =>
    h("div", {}, h("dt", {}, name), h("dd", { dir: "ltr", translate: "no" }, value));
  return h(
    "div",
    { class: "ticket" },
    h("dl", {}, entry(say("receipt.number"), number), entry(say("receipt.pin"), pin)),
    h("p", { class: "careful" }, drawing("warning"), h("span", {}, say("receipt.warning"))),
  );
}

/** Where number and PIN can be kept so that nobody finds them. */
function hidingPlaces() {
  /** @type {import("../language/words.js").Key[]} */
  const places = [
    "receipt.hide-paper",
    "receipt.hide-note",
    "receipt.hide-trust",
    "receipt.hide-screen",
    "receipt.hide-downloads",
    "receipt.hide-clipboard",
  ];
  return more(
    "receipt.hide",
    h(
      "ul",
      {},
      places.map((key) => h("li", {}, say(key))),
    ),
  );
}
