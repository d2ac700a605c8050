import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { PictureWorker, SILENT } from "../../../../web/page/engine/picture-worker.js";

const LIMIT = 120_000;
const RUNTIME = { wasm: {}, second: new ArrayBuffer(1), python: {}, packages: {}, lock: "" };

class FakeWorker {
  constructor(_address, options) {
    assert.equal(options.type, "module");
    FakeWorker.last = this;
  }
  postMessage() {}
  terminate() {}
}

/** A worker, and what the page hears of it; it becomes ready as the door has it. */
function started() {
  const heard = [];
  const worker = new PictureWorker((from, message) => {
    heard.push(message.text ?? message.kind);
    if (message.kind === "ready") from.ready = true;
  });
  worker.start(RUNTIME);
  return { worker, heard, say: (message) => FakeWorker.last.onmessage({ data: message }) };
}

beforeEach(() => {
  globalThis.Worker = FakeWorker;
  mock.timers.enable({ apis: ["setInterval"] });
});
afterEach(() => mock.timers.reset());

test("a worker whose script never comes is given up", () => {
  const { heard } = started();
  mock.timers.tick(LIMIT - 1);
  assert.deepEqual(heard, []);
  mock.timers.tick(1);
  assert.deepEqual(heard, [SILENT]);
});

test("a worker that owes nothing may be silent for ever", () => {
  const { heard, say } = started();
  say({ kind: "ready" });
  mock.timers.tick(100 * LIMIT);
  assert.deepEqual(heard, ["ready"]);
});

test("a picture may take as long as it goes on; what comes over the network does not count", () => {
  const { worker, heard, say } = started();
  say({ kind: "ready" });
  worker.hash({ id: 1, file: new Blob(), options: {} });
  mock.timers.tick(LIMIT - 1);
  say({ kind: "step", id: 1, step: "started" });
  mock.timers.tick(LIMIT - 1);
  say({ kind: "needs", name: "heic.wasm" });
  mock.timers.tick(10 * LIMIT);
  worker.send({ kind: "later", name: "heic.wasm" });
  mock.timers.tick(LIMIT - 1);
  assert.deepEqual(heard, ["ready", "step", "needs"]);
  mock.timers.tick(1);
  assert.deepEqual(heard, ["ready", "step", "needs", SILENT]);
});

test("nothing is heard of a worker that was closed", () => {
  const { worker, heard } = started();
  worker.close();
  mock.timers.tick(10 * LIMIT);
  assert.deepEqual(heard, []);
});
