/** What stands around every screen: the way out, the way to help, the language, and the menu. */
import { drawing, h, write } from "../ui/dom.js";
import { button } from "../ui/parts.js";
import { languages, say, spoken } from "../language/words.js";

/** @typedef {import("../app.js").ScreenName} ScreenName */
/**
 * @typedef {object} Ways
 * @property {(screen: ScreenName) => void} go
 * @property {() => void} leave
 * @property {(code: string) => void} speak
 * @property {import("../session/preparation.js").Preparation} preparation once it is ready, pictures need no network
 */

/** @type {[ScreenName, import("../language/words.js").Key][]} */
const MENU = [
  ["start", "frame.start"],
  ["lookup", "frame.lookup"],
  ["urgent", "frame.urgent"],
  ["posted", "frame.posted"],
  ["helplines", "frame.lines"],
  ["faq", "frame.faq"],
  ["how", "frame.how"],
];

/**
 * Builds the frame.
 *
 * @param {Ways} ways
 * @returns {{ main: HTMLElement, voice: HTMLElement, tellKept: (kept: boolean) => void }} where screens go, a line that
 *   is read out, and a way to say whether the program is kept on the device
 */
export function buildFrame(ways) {
  document.documentElement.lang = spoken.code;
  document.documentElement.dir = spoken.dir;
  document.title = say("frame.title");
  const main = h("main", { id: "main" });
  const voice = h("p", { class: "unseen", role: "status" });
  const trace = h("p");
  const tellKept = (/** @type {boolean} */ kept) => write(trace, say(kept ? "frame.kept" : "frame.trace"));
  document.body.replaceChildren(skipLink(main), bar(ways), offline(ways), main, foot(ways, trace), voice);
  return { main, voice, tellKept };
}

/** @param {HTMLElement} main */
function skipLink(main) {
  const skip = button("frame.skip", () => main.querySelector("h1")?.focus(), "plain");
  skip.classList.add("skip");
  return skip;
}

/** @param {Ways} ways */
function bar({ go, leave, speak }) {
  return h(
    "header",
    { class: "bar" },
    h("p", { class: "brand" }, say("frame.brand")),
    picker(speak),
    h(
      "div",
      { class: "reach" },
      button("frame.help", () => go("urgent")),
      h(
        "button",
        { type: "button", class: "button leave", onclick: leave, "aria-describedby": "leave-keys" },
        drawing("leave"),
        say("frame.leave"),
      ),
      h("span", { class: "unseen", id: "leave-keys" }, say("frame.leave-keys")),
    ),
  );
}

/** @param {(code: string) => void} speak */
function picker(speak) {
  const there = languages();
  if (there.length < 2) return null;
  const select = h(
    "select",
    {
      id: "language",
      autocomplete: "off",
      "aria-label": say("frame.language"),
      onchange: () => speak(select.value),
    },
    there.map(({ code, name }) =>
      h("option", { value: code, lang: code, selected: code === spoken.code }, name),
    ),
  );
  return h("div", { class: "picker" }, drawing("globe"), select);
}

/**
 * Shows itself while the device has no network, and says what still works.
 *
 * @param {Ways} ways
 */
function offline({ preparation }) {
  const line = h("p", { class: "offline", role: "status" });
  const words = () => say(preparation.state.kind === "ready" ? "frame.offline" : "problem.offline");
  const show = () => write(line, navigator.onLine ? "" : words());
  const look = () => line.isConnected && show();
  for (const event of ["online", "offline"]) addEventListener(event, look);
  preparation.addEventListener("change", look);
  show();
  return line;
}

/**
 * @param {Ways} ways
 * @param {HTMLElement} trace what stays on the device
 */
function foot({ go }, trace) {
  return h(
    "footer",
    { class: "foot" },
    h(
      "nav",
      { "aria-label": say("frame.more") },
      h(
        "ul",
        {},
        MENU.map(([screen, key]) =>
          h(
            "li",
            {},
            button(key, () => go(screen), "plain"),
          ),
        ),
      ),
    ),
    trace,
    !spoken.reviewed && h("p", {}, say("frame.unreviewed")),
  );
}
