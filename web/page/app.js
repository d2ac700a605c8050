/**
 * The top of the page: starts it, holds its state, draws the screen of that state, and does what follows from a change of it.
 * web/README.md has the table of what happens when.
 */
import { installLeave } from "./frame/leave.js";
import { backButton, wasLeft } from "./frame/back.js";
import { backAtTop, buildFrame } from "./frame/frame.js";
import { SecondTaps, refuseFiles } from "./frame/mishaps.js";
import { Hasher } from "./session/hasher.js";
import { isKept } from "./engine/keep.js";
import { beginDownloads } from "./engine/runtime.js";
import { hasSimd } from "./engine/support.js";
import { Preparation } from "./session/preparation.js";
import { Registry } from "./registry/client.js";
import { Requester } from "./session/requester.js";
import { Sender } from "./session/sender.js";
import { Session } from "./session/session.js";
import { adult } from "./screens/adult.js";
import { age } from "./screens/age.js";
import { showCase } from "./screens/case.js";
import { faq } from "./screens/faq.js";
import { side } from "./screens/side.js";
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
import { effectsOf } from "./state/effects.js";
import { BACK_AT_TOP } from "./state/ways.js";
import { BEGINNING, backFrom, next } from "./state/state.js";
import { say, sayTime, speak, spoken, wished } from "./language/words.js";

/** @typedef {import("./screens/shared/context.d.ts").ScreenContext} ScreenContext */
/** @typedef {import("./state/types.d.ts").ScreenName} ScreenName */
/** @typedef {import("./state/types.d.ts").PageEvent} PageEvent */
/** @typedef {import("./state/types.d.ts").Effect} Effect */

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
/** Events after which the screen is drawn anew even if it is the same one. */
const REDRAWS = new Set(["go", "back", "return", "answered", "finish"]);
/** What the end of a try to send is called. @type {Record<string, PageEvent>} */
const SENDINGS = {
  sending: { type: "trying" },
  waiting: { type: "waits" },
  refused: { type: "refused" },
  closed: { type: "closed" },
  fault: { type: "fault" },
};
/** How long the first screen waits for a language other than English; after that it is shown in English first. */
const LANGUAGE_WAIT_MILLISECONDS = 4000;

/** @implements {ScreenContext} */
class App {
  state = BEGINNING;
  changes = new EventTarget();
  session = new Session();
  preparation = new Preparation();
  hasher = new Hasher(this.session, this.preparation);
  #registry = new Registry();
  sender = new Sender(this.session, this.#registry);
  requester = new Requester(this.session, this.#registry);
  /** What led to the screen, and when. @type {{ before: typeof BEGINNING, event: PageEvent, at: Date } | null} */
  #cause = null;
  /** Whether the page's program is kept on the device. */
  kept = false;
  /** The case that the person asks for. @type {import("./registry/client.js").Ownership} */
  #wanted = { number: "", pin: "" };
  /** The screen that is drawn. @type {ScreenName} */
  #drawn = "start";
  #leaving = new AbortController();
  #secondTaps = new SecondTaps();
  #back = backButton(() => this.tell({ type: "back" }));
  /** @type {ReturnType<typeof buildFrame>} */
  #frame = {
    main: document.createElement("main"),
    aside: document.createElement("aside"),
    voice: document.createElement("p"),
    showKept: () => {},
  };
  #leave = installLeave({
    forget: () => this.tell({ type: "leave" }),
    restart: () => this.begin(),
    announce: (text) => this.announce(text),
    isKept: () => this.kept,
    unstack: () => this.#back.gone(),
  });
  /** @type {Record<Effect, () => void>} */
  #effects = {
    prepare: () => this.preparation.start(),
    expect: () => this.preparation.expect(this.session.pictures.length),
    hash: () => void this.hasher.run(),
    "stop-hashing": () => this.hasher.stop(),
    renew: () => (this.session.outgoing = null),
    send: () => this.#send(),
    "try-now": () => this.sender.tryNow(),
    "stop-sending": () => this.sender.stop(),
    "look-up": () => this.#lookUp(),
    refresh: () => void this.requester.refresh(),
    withdraw: () => void this.requester.withdraw(),
    "abandon-request": () => this.requester.abandon(),
    "list-platforms": () => void this.requester.listPlatforms(),
    wipe: () => this.#wipe(),
    "renew-workers": () => this.preparation.forget(),
    close: () => this.preparation.close(),
  };

  constructor() {
    const unsaved = () => this.state.receipt === "unkept" || this.session.unsaved;
    addEventListener("beforeunload", (event) => unsaved() && event.preventDefault());
    for (const type of /** @type {const} */ (["online", "offline"]))
      addEventListener(type, () => this.tell({ type }));
    if (!navigator.onLine) this.tell({ type: "offline" });
    refuseFiles();
    this.preparation.addEventListener("change", () => this.#hearDevice());
    this.hasher.addEventListener("ended", () => this.#hearHasher());
    this.sender.addEventListener("change", () => this.#hearSender());
    this.sender.addEventListener("accepted", () => this.tell({ type: "accepted" }));
    this.sender.addEventListener("sent", () => this.tell({ type: "sent", left: this.sender.sent.left }));
    for (const type of /** @type {const} */ (["answered", "unanswered"]))
      this.requester.addEventListener(type, () => this.tell({ type }));
    this.requester.addEventListener("listed", () =>
      this.tell({ type: "listed", told: this.session.platforms !== null }),
    );
  }

  /** Aborted when the screen is left. */
  get leaving() {
    return this.#leaving.signal;
  }

  /** Builds the page for the first time, in the browser's language if its words arrive in time. */
  async start() {
    if (wasLeft()) return this.#leave();
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
    const isAble = isSupported();
    // Nothing is drawn in a tab that is not in view, so a server would wait long for what it sends to be read.
    if (isAble && hasSimd() && !document.hidden) beginDownloads();
    this.#buildFrame();
    this.#draw();
    void this.updateKept();
    if (!isAble) return this.tell({ type: "device-unsupported" });
    // The runtime is read, and the worker started, one frame after the first paint, so that they do not delay it.
    requestAnimationFrame(() => requestAnimationFrame(() => this.tell({ type: "drawn" })));
  }

  /**
   * Takes the state to the one that follows from an event, does what that means, and shows it.
   *
   * @param {PageEvent} event
   */
  tell(event) {
    const before = this.state;
    this.state = next(before, event);
    this.session.adding = this.state.adding;
    // A PIN is not shown again to whoever comes to this screen later.
    if (before.origin === "lookup" && this.state.origin !== "lookup")
      this.session.typed = { number: "", pin: "" };
    const moves = this.state.screen !== before.screen || REDRAWS.has(event.type);
    if (moves) this.#cause = { before, event, at: new Date() };
    for (const effect of effectsOf(before, this.state, event)) this.#effects[effect]();
    if (event.type === "leave") return;
    if (this.#drawn !== this.state.screen || REDRAWS.has(event.type)) this.#move();
    else this.changes.dispatchEvent(new Event("change"));
    // From a receipt that is not kept Back leads nowhere: least of all out of the page.
    this.#back.hear(backFrom(this.state) !== null || this.state.receipt === "unkept");
  }

  /** @param {ScreenName} to */
  go(to) {
    this.tell({ type: "go", to });
  }

  /** @param {import("./registry/client.js").Ownership} ownership */
  lookUp(ownership) {
    this.#wanted = ownership;
    this.tell({ type: "look-up" });
  }

  /** Looks up whether the program is kept, and says so at the foot of the page. */
  async updateKept() {
    this.kept = await isKept().catch(() => false);
    this.#frame.showKept(this.kept);
    this.changes.dispatchEvent(new Event("change"));
  }

  /**
   * Shows the same screen in another language. The choice is stored nowhere.
   *
   * @param {string} code
   */
  async speak(code) {
    try {
      if (!(await speak(code))) return;
    } catch {
      this.#rebuild();
      return this.announce(say("frame.language-failed"));
    }
    this.#rebuild();
    this.tell({ type: "language" });
  }

  /** Builds frame and screen again, and keeps the scroll position, what is unfolded, and the focus on the languages. */
  #rebuild() {
    const y = scrollY;
    const choosing = document.activeElement?.id === "language";
    const unfolded = [...this.#frame.main.querySelectorAll("details")].map(({ open }) => open);
    this.#buildFrame();
    this.#draw();
    for (const [at, details] of this.#frame.main.querySelectorAll("details").entries())
      details.open = unfolded[at] ?? false;
    scrollTo(0, y);
    if (choosing) document.getElementById("language")?.focus({ preventScroll: true });
  }

  #buildFrame() {
    this.#frame = buildFrame({
      go: (screen) => this.go(screen),
      leave: this.#leave,
      speak: (code) => void this.speak(code),
      offline: () => this.#offlineKey(),
      changes: this.changes,
    });
    this.#frame.showKept(this.kept);
  }

  /** What works without a network, while there is none. */
  #offlineKey() {
    if (this.state.online) return null;
    if (this.state.device !== "ready") return "problem.offline";
    return this.kept ? "frame.offline" : "frame.offline-some"; // decoders and the worker for videos come when they are needed
  }

  /** Shows the screen of the state from its top, with the focus on its heading. */
  #move() {
    this.#secondTaps.moved();
    this.#frame.main.dataset["moving"] = "";
    this.#draw();
    scrollTo(0, 0);
    this.#frame.main.querySelector("h1")?.focus({ preventScroll: true });
  }

  /** Draws the screen of the state. */
  #draw() {
    const { screen } = this.state;
    this.#leaving.abort();
    this.#leaving = new AbortController();
    this.#drawn = screen;
    this.announce("");
    this.#frame.main.dataset["screen"] = screen;
    const back = BACK_AT_TOP.has(screen) ? [backAtTop(() => this.tell({ type: "back" }))] : [];
    this.#frame.main.replaceChildren(...back, ...SCREENS[screen](this));
    this.#frame.aside.replaceChildren(...side(this));
  }

  /** @param {string} text for screen readers */
  announce(text) {
    this.#frame.voice.textContent = text;
  }

  /** What the screen says first of what led to it, in the language of the page. */
  get first() {
    if (this.#cause === null) return "";
    const { event, at } = this.#cause;
    const { request, adding } = this.#cause.before;
    if (event.type === "sent") {
      const { count, left } = this.sender.sent;
      if (left) return say("receipt.partly", { count: left });
      return adding ? say("case.added", { count }) : "";
    }
    if (event.type !== "answered") return "";
    if (request === "refreshing") return say("case.refreshed", { time: sayTime(at) });
    if (request !== "withdrawing") return "";
    const { withdrawing } = this.session;
    return withdrawing === null
      ? say("withdraw.done")
      : say("withdraw.done-one", { number: withdrawing + 1 });
  }

  #hearDevice() {
    const { state } = this.preparation;
    if (state.kind === "ready") this.tell({ type: "device-ready" });
    if (state.kind === "failed")
      this.tell({ type: state.code === "unsupported-browser" ? "device-unsupported" : "device-failed" });
  }

  #hearHasher() {
    const { ready, remarks } = this.session;
    this.tell({ type: "hashed", left: this.hasher.left, ready: ready.length, remarks });
  }

  #hearSender() {
    const heard = SENDINGS[this.sender.state.kind];
    if (heard) this.tell(heard);
  }

  #send() {
    this.session.gone = "sent";
    void this.sender.start();
  }

  #lookUp() {
    if (this.session.gone === "nothing") this.session.gone = "asked";
    void this.requester.look(this.#wanted);
  }

  /** Forgets everything that the person did. */
  #wipe() {
    this.hasher.stop();
    this.sender.stop();
    this.requester.stop();
    this.session.wipe();
    this.#wanted = { number: "", pin: "" };
  }
}

function isSupported() {
  return typeof WebAssembly === "object" && typeof Worker === "function" && typeof crypto === "object";
}

void new App().start();
