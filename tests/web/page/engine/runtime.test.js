import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, mock, test } from "node:test";
import { beginDownloads, loadLater, loadRuntime } from "../../../../web/page/engine/runtime.js";

const CONTENT = Uint8Array.from({ length: 1000 }, (_, at) => at % 251);
const STALLED_MILLISECONDS = 20_000;

beforeEach(() => {
  const integrity = `sha384-${createHash("sha384").update(CONTENT).digest("base64")}`;
  const element = { getAttribute: () => `/runtime/phash.zip ${CONTENT.length} ${integrity}` };
  globalThis.document = { querySelectorAll: () => [element] };
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

/**
 * A network whose answers bring so many bytes each, in parts, and then end, break or stall.
 *
 * @param {[number, "end" | "break" | "stall"][]} answers
 */
function network(...answers) {
  return mock.method(globalThis, "fetch", async (_address, { signal }) => {
    const [bytes, then] = answers.shift();
    const body = new ReadableStream({
      async start(feed) {
        for (let at = 0; at < bytes; at += 100) feed.enqueue(CONTENT.slice(at, Math.min(at + 100, bytes)));
        if (then === "end") feed.close();
        if (then === "break") setImmediate(() => feed.error(new TypeError("network")));
        signal.addEventListener("abort", () => then === "stall" && feed.error(signal.reason));
      },
    });
    return new Response(body);
  });
}

/** Lets everything happen that does not wait for the clock. */
const settle = () => new Promise((done) => setImmediate(() => setImmediate(done)));

test("a download that brings nothing for a while is begun again, and comes whole", async () => {
  const { mock: asked } = network([300, "stall"], [1000, "end"]);
  const loading = loadLater("phash.zip");
  await settle();
  mock.timers.tick(STALLED_MILLISECONDS - 1);
  await settle();
  assert.equal(asked.callCount(), 1);
  mock.timers.tick(1);
  assert.deepEqual(new Uint8Array(await loading), CONTENT);
  assert.equal(asked.callCount(), 2);
});

test("a download that breaks off is begun again, and after three tries it is given up", async () => {
  const { mock: asked } = network([100, "break"], [400, "break"], [1000, "end"]);
  assert.deepEqual(new Uint8Array(await loadLater("phash.zip")), CONTENT);
  assert.equal(asked.callCount(), 3);
  const { mock: again } = network([100, "break"], [100, "break"], [100, "break"], [1000, "end"]);
  await assert.rejects(loadLater("phash.zip"), TypeError);
  assert.equal(again.callCount(), 3);
});

test("a file that is not there is asked for once", async () => {
  const { mock: asked } = mock.method(globalThis, "fetch", async () => new Response(null, { status: 503 }));
  await assert.rejects(loadLater("phash.zip"), /503/);
  assert.equal(asked.callCount(), 1);
});

test("what was begun early is asked for once, and read when the runtime is loaded", async () => {
  const names = ["pyodide.asm.wasm", "python.zip", "packages.zip", "pyodide-lock.json", "second-part.wasm"];
  const contents = new Map(
    names.map((name) => [`/runtime/${name}`, Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)]),
  );
  const elements = [...contents].map(([address, content]) => {
    const integrity = `sha384-${createHash("sha384").update(content).digest("base64")}`;
    return { getAttribute: () => `${address} ${content.length} ${integrity}` };
  });
  globalThis.document = { querySelectorAll: () => elements };
  const { mock: asked } = mock.method(
    globalThis,
    "fetch",
    async (address) => new Response(contents.get(address)),
  );
  beginDownloads();
  beginDownloads();
  assert.equal(new Set(asked.calls.map(({ arguments: [address] }) => address)).size, asked.callCount());
  const begun = asked.callCount();
  const runtime = await loadRuntime(() => {});
  assert.equal(runtime.python.byteLength, 8);
  assert.equal(asked.callCount(), begun);
  await loadRuntime(() => {});
  assert.equal(asked.callCount(), 2 * begun);
});
