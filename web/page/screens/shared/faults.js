/** What to say when the registry could not be asked. */
import { RegistryError } from "../../registry/client.js";
import { say } from "../../language/words.js";

/**
 * @param {unknown} fault
 * @returns {string}
 */
export function explain(fault) {
  if (!(fault instanceof RegistryError)) throw fault;
  switch (fault.kind) {
    case "offline":
      return say("problem.offline");
    case "slow":
      return say("problem.slow");
    case "busy":
      return say("problem.busy");
    case "not-found":
      return say("lookup.not-found");
    case "too-many":
      return say("lookup.too-many", { count: Math.max(1, Math.ceil(fault.retryAfter / 60)) });
    case "closed":
      return say("case.closed");
    case "refused":
      return say("problem.refused");
  }
}
