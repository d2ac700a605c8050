/** The top of the page: starts it, and moves between its screens. web/README.md has the table of what happens when. */
import { installLeave } from "./frame/leave.js";
import { buildFrame } from "./frame/frame.js";
import { Hasher } from "./session/hasher.js";
import { isKept } from "./engine/keep.js";
import { Preparation } from "./session/preparation.js";
import { Registry } from "./registry/client.js";
import { Sender } from "./session/sender.js";
import { Session } from "./session/session.js";
import { adult } from "./screens/adult.js";
import { age } from "./screens/age.js";
import { showCase } from "./screens/case.js";
import { faq } from "./screens/faq.js";
import { hashing } from "./screens/hashing.js";
import { helplines } from "./screens/helplines.js";
import { how } from "./screens/how.js";
import { letters } from "./screens/letters.js";
import { lookup } from "./screens/lookup.js";
import { nofile } from "./screens/nofile.js";
import { notice } from "./screens/notice.js";
import { pictures } from "./screens/pictures.js";
import { platform } from "./screens/platform.js";
import { posted } from "./screens/posted.js";
import { receipt } from "./screens/receipt.js";
import { review } from "./screens/review.js";
import { sending } from "./screens/sending.js";
import { start } from "./screens/start.js";
import { unsupported } from "./screens/unsupported.js";
import { urgent } from "./screens/urgent.js";
import { where } from "./screens/where.js";
import { withdraw } from "./screens/withdraw.js";
import { say, speak, spoken, wished } from "./language/words.js";

/** @typedef {import("./screens/shared/context.d.ts").ScreenContext} ScreenContext */
/** @typedef {import("./screens/shared/context.d.ts").ScreenName} ScreenName */

/** For callers that hash without the screens, such as the tests. */
export { createDoor } from "./engine/door.js";

/** @type {Record<ScreenName, import("./screens/shared/context.d.ts").Screen>} */
const SCREENS = {
  start,
  age,
  adult,
  where,
  pictures,
  nofile,
  hashing,
  review,
  sending,
  receipt,
  lookup,
  case: showCase,
  withdraw,
  posted,
  platform,
  notice,
  letters,
  urgent,
  helplines,
  faq,
  how,
  unsupported,
};
/** Screens that are only looked at on the way: they lead back to the screen before them. @type {ScreenName[]} */
const ASIDE = ["posted", "platform", "notice", "letters", "urgent", "helplines", "faq", "how", "nofile"];
/** How long the first screen waits for a language other than English; after that it is shown in English first. */
const LANGUAGE_WAIT_MILLISECONDS = 4000;

/** @implements {ScreenContext} */
class App {
  session = new Session();
  registry = new Registry();
  preparation = new Preparation();
  hasher = new Hasher(this.session, this.preparation);
  sender = new Sender(this.session, this.registry);
  /** Whether the page's program is kept on the device. */
  kept = false;
  /** The last screen that was not one of `ASIDE`. @type {ScreenName} */
  origin = "start";
  /** @type {ScreenName} */
  #screen = "start";
  #leaving = new AbortController();
  /** @type {ReturnType<typeof buildFrame>} */
  #frame = {
    main: document.createElement("main"),
    voice: document.createElement("p"),
    showKept: () => {},
  };
  #leave = installLeave({
    forget: () => this.forget(),
    restart: () => this.begin(),
    announce: (text) => this.announce(text),
    isKept: () => this.kept,
  });

  constructor() {
    addEventListener("beforeunload", (event) => this.session.unsaved && event.preventDefault());
    addEventListener("online", () => this.sender.tryNow());
  }

  /** Aborted when the screen is left. */
  get leaving() {
    return this.#leaving.signal;
  }

  /** Builds the page for the first time, in the browser's language if its words arrive in time. */
  async start() {
    const late = new Promise((_, reject) => setTimeout(reject, LANGUAGE_WAIT_MILLISECONDS));
    const loading = speak(wished());
    await Promise.race([loading, late]).catch(() => {});
    this.begin();
    loading.then(
      () => document.documentElement.lang !== spoken.code && this.#rebuild(), // it came late
      () => this.announce(say("frame.language-failed")),
    );
  }

  /** Builds the frame and shows the first screen. */
  begin() {
    this.origin = "start";
    this.#buildFrame();
    this.#show(isSupported() ? "start" : "unsupported");
  }

  /** Looks up whether the program is kept, and says so at the foot of the page. */
  async updateKept() {
    this.kept = await isKept().catch(() => false);
    this.#frame.showKept(this.kept);
  }

  /**
   * Shows the same screen in another language. The choice is stored nowhere.
   *
   * @param {string} code
   */
  async speak(code) {
    try {
      await speak(code);
    } catch {
      this.#rebuild();
      return this.announce(say("frame.language-failed"));
    }
    this.#rebuild();
  }

  /** Builds frame and screen again, and keeps the scroll position and the focus on the list of languages. */
  #rebuild() {
    const y = scrollY;
    const choosing = document.activeElement?.id === "language";
    this.#buildFrame();
    this.#show(this.#screen);
    scrollTo(0, y);
    if (choosing) document.getElementById("language")?.focus({ preventScroll: true });
  }

  #buildFrame() {
    this.#frame = buildFrame({
      go: (screen) => this.go(screen),
      leave: this.#leave,
      speak: (code) => void this.speak(code),
      preparation: this.preparation,
    });
    this.#frame.showKept(this.kept);
  }

  /** @param {ScreenName} screen */
  go(screen) {
    this.#frame.main.dataset["moving"] = "";
    this.#show(this.#allowed(screen));
    scrollTo(0, 0);
    this.#frame.main.querySelector("h1")?.focus({ preventScroll: true });
  }

  /** @param {string} text for screen readers */
  announce(text) {
    this.#frame.voice.textContent = text;
  }

  /** Forgets everything that the person did. */
  forget() {
    this.hasher.stop();
    this.sender.stop();
    this.preparation.close();
    this.session.wipe();
  }

  /** Forgets everything and shows the first screen. */
  restart() {
    this.forget();
    this.go("start");
  }

  /**
   * The screen to show when `screen` is asked for: nobody walks away by mistake from a case number that they have not
   * kept, or from a message that is being sent.
   *
   * @param {ScreenName} screen
   * @returns {ScreenName}
   */
  #allowed(screen) {
    if (ASIDE.includes(screen)) return screen;
    if (this.session.unkept) return "receipt";
    return this.sender.running ? "sending" : screen;
  }

  /** @param {ScreenName} screen */
  #show(screen) {
    this.#leaving.abort();
    this.#leaving = new AbortController();
    this.#screen = screen;
    if (!ASIDE.includes(screen)) this.origin = screen;
    this.announce("");
    this.#frame.main.dataset["screen"] = screen;
    this.#frame.main.replaceChildren(...SCREENS[screen](this));
  }
}

function isSupported() {
  return typeof WebAssembly === "object" && typeof Worker === "function" && typeof crypto === "object";
}

void new App().start();
