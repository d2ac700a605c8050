/** What a screen gets and what it gives. Types only; `app.js` has the code. */
import type { Registry } from "../../registry/client.js";
import type { Hasher } from "../../session/hasher.js";
import type { Preparation } from "../../session/preparation.js";
import type { Sender } from "../../session/sender.js";
import type { Session } from "../../session/session.js";

/** One screen: builds its elements, starts its listeners, which end with `leaving`. */
export type Screen = (app: ScreenContext) => Node[];

/** What a screen may use. */
export interface ScreenContext {
  readonly session: Session;
  readonly registry: Registry;
  readonly preparation: Preparation;
  readonly hasher: Hasher;
  readonly sender: Sender;
  /** Whether the page's program is kept on the device. */
  readonly kept: boolean;
  /** The screen to go back to from one that is only looked at on the way. */
  readonly origin: ScreenName;
  /** Aborted when the screen is left. */
  readonly leaving: AbortSignal;
  /** Shows another screen. */
  go(screen: ScreenName): void;
  /** Has a screen reader say something. */
  announce(text: string): void;
  /** Forgets everything and shows the first screen. */
  restart(): void;
  /** Looks up whether the program is kept, and updates `kept`. */
  updateKept(): Promise<void>;
}

export type ScreenName =
  | "start"
  | "age"
  | "adult"
  | "where"
  | "pictures"
  | "nofile"
  | "hashing"
  | "review"
  | "sending"
  | "receipt"
  | "lookup"
  | "case"
  | "withdraw"
  | "posted"
  | "platform"
  | "notice"
  | "letters"
  | "urgent"
  | "helplines"
  | "faq"
  | "how"
  | "unsupported";
