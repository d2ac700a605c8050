/** Starts the page and moves between its screens. */
import { installExit } from "./frame/leave.js";
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

/** For whoever wants to hash without the screens, as the tests do. */
export { createDoor } from "./engine/door.js";

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
/** Screens that are looked at on the way; from these one goes back to where one was. */
const ASIDE = new Set([
  ...["posted", "platform", "notice", "letters", "urgent", "helplines", "faq", "how", "nofile"],
]);
/** Milliseconds that the first screen waits for another language than English. */
const LANGUAGE_WITHIN = 4000;

/** @typedef {keyof typeof SCREENS} ScreenName */
/** @typedef {(app: App) => Node[]} Screen */

/** What a screen may use. */
export class App {
  session = new Session();
  registry = new Registry();
  preparation = new Preparation();
  hasher = new Hasher(this.session, this.preparation);
  sender = new Sender(this.session, this.registry);
  /** Whether the person has the program kept on the device. */
  kept = false;
  /** The screen of the person's own way that was shown last. @type {ScreenName} */
  origin = "start";
  /** @type {ScreenName} */
  #screen = "start";
  #left = new AbortController();
  /** @type {ReturnType<typeof buildFrame>} */
  #frame = {
    main: document.createElement("main"),
    voice: document.createElement("p"),
    tellKept: () => {},
  };
  #leave = installExit({
    forget: () => this.forget(),
    restart: () => this.begin(),
    announce: (text) => this.announce(text),
    isKept: () => this.kept,
  });

  constructor() {
    addEventListener("beforeunload", (event) => this.session.unsaved && event.preventDefault());
    addEventListener("online", () => this.sender.tryNow());
  }

  /** Ends when the screen is left. */
  get leaving() {
    return this.#left.signal;
  }

  /** Builds the page for the first time, in the browser's language if it comes in time. */
  async start() {
    const late = new Promise((_, fail) => setTimeout(fail, LANGUAGE_WITHIN));
    const spoke = speak(wished());
    await Promise.race([spoke, late]).catch(() => {});
    this.begin();
    spoke.then(
      () => document.documentElement.lang !== spoken.code && this.#again(), // it came late
      () => this.announce(say("frame.language-failed")),
    );
  }

  /** Builds the page from nothing. */
  begin() {
    this.origin = "start";
    this.#frames();
    this.#show(isSupported() ? "start" : "unsupported");
  }

  /** Finds out whether the program is kept, and says so at the foot of the page. */
  async lookWhatIsKept() {
    this.kept = await isKept().catch(() => false);
    this.#frame.tellKept(this.kept);
  }

  /**
   * Says the same screen in another language. Nothing of the choice is kept.
   *
   * @param {string} code
   */
  async speak(code) {
    try {
      await speak(code);
    } catch {
      this.#again();
      return this.announce(say("frame.language-failed"));
    }
    this.#again();
  }

  /** Builds the frame and the screen anew, where the person was. */
  #again() {
    const y = scrollY;
    const choosing = document.activeElement?.id === "language";
    this.#frames();
    this.#show(this.#screen);
    scrollTo(0, y);
    if (choosing) document.getElementById("language")?.focus({ preventScroll: true });
  }

  #frames() {
    this.#frame = buildFrame({
      go: (screen) => this.go(screen),
      leave: this.#leave,
      speak: (code) => void this.speak(code),
      preparation: this.preparation,
    });
    this.#frame.tellKept(this.kept);
  }

  /** @param {ScreenName} screen */
  go(screen) {
    this.#frame.main.dataset["moving"] = "";
    this.#show(this.#allowed(screen));
    scrollTo(0, 0);
    this.#frame.main.querySelector("h1")?.focus({ preventScroll: true });
  }

  /** @param {string} text to be read out */
  announce(text) {
    this.#frame.voice.textContent = text;
  }

  /** Drops all that the person did. */
  forget() {
    this.hasher.stop();
    this.sender.stop();
    this.preparation.close();
    this.session.wipe();
  }

  /** Drops all that the person did and begins anew. */
  restart() {
    this.forget();
    this.go("start");
  }

  /**
   * A case number that is not kept, or a message on its way, cannot be walked away from by mistake.
   *
   * @param {ScreenName} screen
   * @returns {ScreenName}
   */
  #allowed(screen) {
    if (ASIDE.has(screen)) return screen;
    if (this.session.unkept) return "receipt";
    return this.sender.running ? "sending" : screen;
  }

  /** @param {ScreenName} screen */
  #show(screen) {
    this.#left.abort();
    this.#left = new AbortController();
    this.#screen = screen;
    if (!ASIDE.has(screen)) this.origin = screen;
    this.announce("");
    this.#frame.main.dataset["screen"] = screen;
    this.#frame.main.replaceChildren(...SCREENS[screen](this));
  }
}

function isSupported() {
  return typeof WebAssembly === "object" && typeof Worker === "function" && typeof crypto === "object";
}

void new App().start();
