/** What goes wrong when a picture is hashed. */

/** Why there are no hashes. `code` is one of the package's codes of errors, or one of those below. */
export class DoorError extends Error {
  /**
   * @param {"aborted" | "worker-crashed" | "runtime-unavailable" | "unsupported-browser" | "unreadable-file" | string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = "DoorError";
    this.code = code;
  }
}
