/** The state of the page, and what happens to it. Types only; `state.js` has the function from one to the next. */

/** On the way to a case, or at a case: these lose something if they are left by mistake. */
export type WayScreen =
  | "start"
  | "age"
  | "adult"
  | "where"
  | "pictures"
  | "hashing"
  | "review"
  | "sending"
  | "receipt"
  | "lookup"
  | "case"
  | "withdraw"
  | "unsupported";

/** What can be done about a picture beside the way; "Back to where you were" leads to the way. */
export type SideScreen = "posted" | "platform" | "notice" | "letters" | "nofile";

/** Only looked at: "Back to where you were" leads to the screen before, of the way or beside it. */
export type GlanceScreen = "urgent" | "helplines" | "faq" | "how";

export type ScreenName = WayScreen | SideScreen | GlanceScreen;

export interface State {
  readonly screen: ScreenName;
  /** The last screen of the way. */
  readonly origin: WayScreen;
  /** The last screen that was not a glance. */
  readonly under: WayScreen | SideScreen;
  /** `asleep`: nobody asked for it yet. `failed`: it is tried again when the device is online, or when the person asks. */
  readonly device: "asleep" | "loading" | "ready" | "failed" | "unsupported";
  /** `stuck`: pictures are left because the device failed. `done` and `none`: all pictures are over, some or none to send. */
  readonly hashing: "idle" | "running" | "stopped" | "stuck" | "done" | "none";
  /** `waiting`: for the next try. `fault`: something is wrong that another try alone does not mend. */
  readonly sending: "idle" | "sending" | "waiting" | "stopped" | "refused" | "closed" | "fault";
  /** What the registry was asked about a case. */
  readonly request: "none" | "looking" | "refreshing" | "withdrawing";
  /** Whether there is a case, and the person said that they kept its number and PIN. */
  readonly receipt: "none" | "unkept" | "kept";
  /** Whether the pictures join the case that there is. */
  readonly adding: boolean;
  /** Whether the registry has told which platforms take part; it is asked where that is shown. */
  readonly listing: "none" | "asking" | "told" | "failed";
  readonly online: boolean;
}

/** What the person does. */
export type Act =
  | { type: "go"; to: ScreenName }
  /** "Back" of a screen, and of the browser where it can be heard. */
  | { type: "back" }
  /** "Back to where you were". */
  | { type: "return" }
  | { type: "hash" }
  | { type: "stop-hashing" }
  /** Pictures were added or removed, or something said of them; `count` is how many there are now. */
  | { type: "list-changed"; count: number }
  | { type: "send" }
  | { type: "send-anew" }
  | { type: "try-now" }
  | { type: "stop-sending" }
  | { type: "keep"; kept: boolean }
  | { type: "look-up" }
  | { type: "refresh" }
  | { type: "add" }
  | { type: "withdraw" }
  | { type: "retry-device" }
  | { type: "language" }
  /** "Finish and clear this page". */
  | { type: "finish" }
  /** The page is left, or loaded anew. */
  | { type: "leave" };

/** What happens to the page. */
export type Happening =
  /** The first screen is drawn. */
  | { type: "drawn" }
  | { type: "device-ready" }
  /** It could not be loaded, or no worker can be started in the place of one that died. */
  | { type: "device-failed" }
  | { type: "device-unsupported" }
  | { type: "online" }
  | { type: "offline" }
  /** Nothing is being hashed any more: so many pictures wait, so many can be sent, of so many there is something to say. */
  | { type: "hashed"; left: number; ready: number; remarks: number }
  | { type: "trying" }
  | { type: "waits" }
  /** The registry has the first message of a new case. */
  | { type: "accepted" }
  /** The registry has all that it takes; so many pictures are left. */
  | { type: "sent"; left: number }
  | { type: "refused" }
  | { type: "closed" }
  | { type: "fault" }
  | { type: "answered" }
  | { type: "unanswered" }
  /** The registry told which platforms take part, or did not answer. */
  | { type: "listed"; told: boolean };

export type PageEvent = Act | Happening;

/** What the page starts or stops when the state has changed. */
export type Effect =
  | "prepare"
  /** The device hears how many pictures are about to come. */
  | "expect"
  | "hash"
  | "stop-hashing"
  | "renew"
  | "send"
  | "try-now"
  | "stop-sending"
  | "look-up"
  | "refresh"
  | "withdraw"
  | "abandon-request"
  | "list-platforms"
  /** Everything that the person did is forgotten. */
  | "wipe"
  /** What the workers have read goes with them; others start from the runtime in memory. */
  | "renew-workers"
  /** The runtime goes too. */
  | "close";
