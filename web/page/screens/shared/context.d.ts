/** What a screen gets and what it gives. Types only; `app.js` has the code. */
import type { Hasher } from "../../session/hasher.js";
import type { Preparation } from "../../session/preparation.js";
import type { Requester } from "../../session/requester.js";
import type { Sender } from "../../session/sender.js";
import type { Session } from "../../session/session.js";
import type { Act, ScreenName, State } from "../../state/types.d.ts";

export type { ScreenName };

/** One screen: draws the state. It starts nothing; its listeners end with `leaving`. */
export type Screen = (app: ScreenContext) => Node[];

/** What a screen may use. */
export interface ScreenContext {
  readonly state: State;
  /** Dispatches `change` when the state has changed and the screen stays. */
  readonly changes: EventTarget;
  readonly session: Session;
  readonly preparation: Preparation;
  readonly hasher: Hasher;
  readonly sender: Sender;
  readonly requester: Requester;
  /** A sentence for the screen to show first; empty for none. */
  readonly first: string;
  /** Whether the page's program is kept on the device. */
  readonly kept: boolean;
  /** Aborted when the screen is left. */
  readonly leaving: AbortSignal;
  /** Tells what the person did; the state follows from it, and the screen from the state. */
  tell(act: Act): void;
  /** Shows another screen. */
  go(screen: ScreenName): void;
  /** Looks up a case. */
  lookUp(ownership: import("../../registry/client.js").Ownership): void;
  /** Has a screen reader say something. */
  announce(text: string): void;
  /** Looks up whether the program is kept, and updates `kept`. */
  updateKept(): Promise<void>;
}
