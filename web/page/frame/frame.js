/** What stands around every screen: "Leave quickly", "Help now", the language, whether the device is offline, the menu. */
import { drawing, h, write } from "../ui/dom.js";
import { button } from "../ui/parts.js";
import { languages, say, spoken } from "../language/words.js";

/** @typedef {import("../state/types.d.ts").ScreenName} ScreenName */
/**
 * @typedef {object} Actions what the frame's buttons do
 * @property {(screen: ScreenName) => void} go
 * @property {() => void} leave
 * @property {(code: string) => void} speak changes the language
 * @property {() => import("../language/words.js").Key | null} offline what still works without a network, while there is none
 * @property {EventTarget} changes dispatches `change` when the state has changed
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
 * @param {Actions} actions
 * @returns {{ main: HTMLElement, aside: HTMLElement, voice: HTMLElement, showKept: (kept: boolean) => void }} the element for
 *   screens, the one beside it where there is room, the live region for announcements, and what updates the line that says
 *   whether the program is kept on the device
 */
export function buildFrame(actions) {
  document.documentElement.lang = spoken.code;
  document.documentElement.dir = spoken.dir;
  document.title = say("frame.title");
  const main = h("main", { id: "main" });
  const aside = h("aside", { class: "side" });
  const voice = h("p", { class: "unseen", role: "status" });
  const keptLine = h("p");
  const showKept = (/** @type {boolean} */ kept) => write(keptLine, say(kept ? "frame.kept" : "frame.trace"));
  document.body.replaceChildren(
    skipLink(main),
    bar(actions),
    offline(actions),
    h("div", { class: "desk" }, main, aside),
    foot(actions, keptLine),
    voice,
  );
  return { main, aside, voice, showKept };
}

/**
 * "Back" above the heading of a screen.
 *
 * @param {() => void} press
 */
export function backAtTop(press) {
  const back = button("frame.back", press, "plain");
  back.classList.add("upward");
  back.prepend(drawing("back"));
  return back;
}

/** @param {HTMLElement} main */
function skipLink(main) {
  const skip = button("frame.skip", () => main.querySelector("h1")?.focus(), "plain");
  skip.classList.add("skip");
  return skip;
}

/** @param {Actions} actions */
function bar({ go, leave, speak }) {
  return h(
    "header",
    { class: "bar" },
    h("p", { class: "brand" }, drawing("mark"), say("frame.brand")),
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
  const choices = languages();
  if (choices.length < 2) return null;
  const select = h(
    "select",
    {
      id: "language",
      autocomplete: "off",
      "aria-label": say("frame.language"),
      onchange: () => speak(select.value),
    },
    choices.map(({ code, name }) =>
      h("option", { value: code, lang: code, selected: code === spoken.code }, name),
    ),
  );
  return h("div", { class: "picker" }, drawing("globe"), select);
}

/**
 * A line that says, while the device has no network, what still works.
 *
 * @param {Actions} actions
 */
function offline({ offline, changes }) {
  const line = h("p", { class: "offline", role: "status" });
  const show = () => {
    const key = offline();
    write(line, key ? say(key) : "");
  };
  changes.addEventListener("change", () => line.isConnected && show());
  show();
  return line;
}

/**
 * @param {Actions} actions
 * @param {HTMLElement} keptLine says what stays on the device
 */
function foot({ go }, keptLine) {
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
    keptLine,
    !spoken.reviewed && h("p", {}, say("frame.unreviewed")),
  );
}
