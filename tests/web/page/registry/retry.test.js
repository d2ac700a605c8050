import assert from "node:assert/strict";
import { test } from "node:test";
import { retry, waitAfter } from "../../../../web/page/registry/retry.js";
import { RegistryError } from "../../../../web/page/registry/client.js";

const NEVER = new AbortController().signal;

/** Ways with a clock that only counts. */
function ways(changes = {}) {
  const waits = [];
  const told = [];
  const clock = { signal: NEVER, random: () => 0, wait: async (seconds) => void waits.push(seconds) };
  return {
    waits,
    told,
    ways: { ...clock, onWait: (fault, seconds) => told.push([fault.kind, seconds]), ...changes },
  };
}

/** Fails with these, then works. */
function failing(...faults) {
  let tries = 0;
  const attempt = async () => {
    tries += 1;
    const fault = faults.shift();
    if (fault) throw fault;
    return "there";
  };
  return { attempt, tries: () => tries };
}

test("temporary errors are tried again, with longer and longer waits", async () => {
  const { attempt, tries } = failing(
    ...["offline", "slow", "busy", "offline"].map((kind) => new RegistryError(kind)),
  );
  const { ways: given, waits, told } = ways();
  assert.equal(await retry(attempt, given), "there");
  assert.equal(tries(), 5);
  assert.deepEqual(waits, [1, 2, 4, 8]);
  assert.deepEqual(told, [
    ["offline", 1],
    ["slow", 2],
    ["busy", 4],
    ["offline", 8],
  ]);
});

test("it goes on for as long as it takes, and never waits more than half a minute of its own", async () => {
  const { attempt, tries } = failing(...Array.from({ length: 40 }, () => new RegistryError("offline")));
  const { ways: given, waits } = ways();
  await retry(attempt, given);
  assert.equal(tries(), 41);
  assert.equal(Math.max(...waits), 30);
});

test("the registry's own wish for a wait is kept, within reason", () => {
  assert.equal(waitAfter(1, 0, 20), 20);
  assert.equal(waitAfter(6, 0, 5), 30);
  assert.equal(waitAfter(1, 0, 86400), 120);
});

test("waits are spread by up to a quarter", () => {
  assert.equal(waitAfter(3, 0), 4);
  assert.equal(waitAfter(3, 1), 5);
});

test("a permanent error ends it at once", async () => {
  for (const kind of ["refused", "not-found", "too-many"]) {
    const { attempt, tries } = failing(new RegistryError(kind));
    await assert.rejects(retry(attempt, ways().ways), { kind });
    assert.equal(tries(), 1);
  }
});

test("a fault of the program is not hidden by trying again", async () => {
  const { attempt } = failing(new TypeError("a bug"));
  await assert.rejects(retry(attempt, ways().ways), TypeError);
});

test("a stop during a wait ends it without another try", async () => {
  const stop = new AbortController();
  const { attempt, tries } = failing(new RegistryError("offline"));
  const { ways: given } = ways({ signal: stop.signal, wait: async () => stop.abort() });
  await assert.rejects(retry(attempt, given), { name: "AbortError" });
  assert.equal(tries(), 1);
});
