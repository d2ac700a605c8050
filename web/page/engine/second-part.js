/**
 * The second part of CPython and of Pillow's libraries, and the memory in which a worker waits for it. This is the only
 * module of the page that touches shared memory. It writes there and never reads, because the worker could write what it
 * has seen.
 */

export const SECOND_PART = "second-part.wasm";

/** Whether a worker can wait for it: where this site's memory is isolated, and the browser shares any (WebKitGTK does not). */
export const canShareMemory =
  globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === "function";

/** Memory for one worker, empty at first. */
export class SharedPart {
  /** For the worker. @type {Exclude<import("../../messages.d.ts").SecondPart, ArrayBuffer>} */
  memory;

  /** @param {number} size of the second part in bytes */
  constructor(size) {
    this.memory = {
      bytes: new SharedArrayBuffer(size),
      filled: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
    };
  }

  /**
   * Gives the worker the second part, and wakes it.
   *
   * @param {ArrayBuffer} content
   */
  fill(content) {
    const filled = new Int32Array(this.memory.filled);
    new Uint8Array(this.memory.bytes).set(new Uint8Array(content));
    Atomics.store(filled, 0, 1);
    Atomics.notify(filled, 0);
  }
}
