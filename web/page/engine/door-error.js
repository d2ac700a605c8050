/** Why a file could not be hashed. `code` is an error code of `py/takeback/errors.py`, or one of those below. */
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

export function unsupported() {
  return new DoorError("unsupported-browser", "the browser lacks WebAssembly or module workers");
}

/** @param {unknown} cause */
export function unavailable(cause) {
  return new DoorError("runtime-unavailable", cause instanceof Error ? cause.message : String(cause));
}
