/** What to say when a request to the registry failed. */
import { RegistryError } from "../../registry/client.js";
import { say } from "../../language/words.js";

/**
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (!(error instanceof RegistryError)) return say("problem.refused");
  switch (error.kind) {
    case "offline":
      return say("problem.offline");
    case "slow":
      return say("problem.slow");
    case "busy":
      return say("problem.busy");
    case "not-found":
      return say("lookup.not-found");
    case "too-many":
      return say("lookup.too-many", { count: Math.max(1, Math.ceil(error.retryAfter / 60)) });
    case "closed":
      return say("case.closed");
    case "refused":
    case "fault":
      return say("problem.refused");
  }
}
