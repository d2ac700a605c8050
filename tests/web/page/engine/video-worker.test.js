import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { VideoWorker } from "../../../../web/page/engine/video-worker.js";

const MINUTE = 60_000;
/** The workers that were started, the last one at the end. @type {FakeWorker[]} */
let workers = [];

class FakeWorker {
  asked = [];
  constructor(_address, options) {
    assert.equal(options.type, "module");
    workers.push(this);
  }
  postMessage(message) {
    this.asked.push(message);
  }
  terminate() {
    this.ended = true;
  }
  say(data) {
    this.onmessage({ data });
  }
}

beforeEach(() => {
  workers = [];
  globalThis.Worker = FakeWorker;
  mock.timers.enable({ apis: ["setInterval"] });
});
afterEach(() => mock.timers.reset());

const settle = () => new Promise((done) => setImmediate(done));

/** Minutes in which the worker says that it is alive, and what `say` adds. */
async function live(minutes, say = () => {}) {
  for (let seconds = 0; seconds < minutes * 60; seconds += 5) {
    mock.timers.tick(5000);
    workers.at(-1).say({ kind: "alive" });
    say(seconds);
  }
  await settle();
}

test("a decoder that stalls in a living worker is given up, and the video gets its exact hashes", async () => {
  const hashed = new VideoWorker().hash(new Blob(), {});
  await settle();
  assert.equal(workers[0].asked[0].kind, "hash");
  await live(2);
  assert.equal(workers.length, 1);
  await live(2);
  assert.ok(workers[0].ended);
  const [, second] = workers;
  assert.equal(second.asked[0].kind, "frameless");
  second.say({ kind: "result", id: second.asked[0].id, json: '{"signals":[]}' });
  assert.deepEqual(await hashed, { signals: [] });
});

test("a slow decoder is waited for as long as it goes on, and exact hashes take as long as they take", async () => {
  const video = new VideoWorker();
  const hashed = video.hash(new Blob(), {});
  await settle();
  const [worker] = workers;
  await live(10, (seconds) => worker.say({ kind: "share", id: 1, share: seconds / 600 }));
  worker.say({ kind: "result", id: 1, json: '{"signals":[]}' });
  await hashed;
  const exact = video.exact(new Blob(), {});
  await settle();
  await live(10);
  worker.say({ kind: "result", id: 2, json: '{"signals":[]}' });
  await exact;
  assert.equal(workers.length, 1);
});

test("a worker that says nothing at all for over a minute is dead", async () => {
  const frames = new VideoWorker().frames(new Blob(), 1, {});
  await settle();
  mock.timers.tick(MINUTE + 10_000);
  assert.deepEqual(await frames, []);
  assert.ok(workers[0].ended);
});
