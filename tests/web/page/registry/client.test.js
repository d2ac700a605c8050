import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Registry, RegistryError, messagesFor } from "../../../../web/page/registry/client.js";

const SECRETS = { pin: "K7QM-2XRW-9DHF", key: "0".repeat(32) };
const STATUS = {
  number: "4829157306",
  state: "active",
  received_at: "2026-11-23T10:00:00Z",
  withdrawn_at: null,
  platforms: 0,
  pictures: [],
};
const PICTURE = { signals: [{ type: "md5", value: "acbd18db4cc2f85cedef654fccc4a4d8" }] };
const [MESSAGE] = messagesFor([PICTURE], { pin: SECRETS.pin, makeKey: () => SECRETS.key });
const NEVER = new AbortController().signal;

/** A registry that gives these answers, and what it was asked. */
function answering(...answers) {
  const asked = [];
  const fetch = async (path, request) => {
    if (path.startsWith("/v1/work?") && !answers[0]?.ofWork) return json(200, { work: null });
    asked.push({ path, ...request });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { registry: new Registry({ fetch }), asked };
}

const json = (status, body, headers = {}) => new Response(JSON.stringify(body), { status, headers });
const faultOf = (promise) =>
  promise.then(
    () => assert.fail("it went through"),
    (fault) => fault,
  );

/** Work of altcha's that the second try solves. */
const WORK = {
  parameters: {
    algorithm: "PBKDF2/SHA-256",
    nonce: "00".repeat(16),
    salt: "11".repeat(16),
    cost: 1000,
    keyLength: 32,
    keyPrefix: "",
    expiresAt: 1795428250,
    data: { key: "ab" },
  },
  signature: "22".repeat(32),
};

/** The derived key of a try, by Node's own derivation. */
function derived(counter) {
  const { nonce, salt, cost } = WORK.parameters;
  const password = Buffer.concat([Buffer.from(nonce, "hex"), Buffer.from([0, 0, 0, counter])]);
  return pbkdf2Sync(password, Buffer.from(salt, "hex"), cost, 32, "sha256").toString("hex");
}

/** What the registry says when it is asked for work. */
const wanted = (body, status = 200) => Object.assign(json(status, body), { ofWork: true });

test("work that is asked for is done and shown, and the message stays the same", async () => {
  const work = { ...WORK, parameters: { ...WORK.parameters, keyPrefix: derived(7).slice(0, 32) } };
  const { registry, asked } = answering(wanted({ work }), json(201, STATUS));

  assert.deepEqual(await registry.open(MESSAGE, NEVER), STATUS);

  const [first, second] = asked;
  assert.deepEqual(
    [first.path, first.headers],
    ["/v1/work?pictures=1&signals=1", { "Idempotency-Key": SECRETS.key }],
  );
  const { "Takeback-Work": shown, ...rest } = second.headers;
  assert.deepEqual([rest, second.body], [MESSAGE.headers, MESSAGE.body]);
  assert.deepEqual(JSON.parse(atob(shown)), {
    challenge: work,
    solution: { counter: 7, derivedKey: derived(7) },
  });
});

test("what is no work passes, work that cannot be done is a fault, and work that is aborted ends", async () => {
  const endless = { ...WORK, parameters: { ...WORK.parameters, keyPrefix: "ff".repeat(16) } };
  for (const [told, kind] of [
    [{}, "offline"],
    [{ work: { parameters: { algorithm: "ROT13" } } }, "fault"],
    [{ work: WORK }, "fault"],
  ]) {
    const { registry } = answering(wanted(told));
    const { kind: found, temporary } = await faultOf(registry.open(MESSAGE, NEVER));
    assert.deepEqual([found, temporary], [kind, kind === "offline"]);
  }
  const { registry } = answering(wanted({ work: endless }));
  assert.equal((await faultOf(registry.open(MESSAGE, AbortSignal.timeout(50)))).name, "TimeoutError");
  for (const refused of [answering(wanted({}, 429)), answering(wanted({}, 503))])
    assert.equal((await faultOf(refused.registry.open(MESSAGE, NEVER))).kind, "busy");
  const silent = answering(json(428, {}));
  assert.equal((await faultOf(silent.registry.open(MESSAGE, NEVER))).kind, "offline");
});

test("work that is no longer enough is done anew at the price that the registry tells, for both messages", async () => {
  const dearer = { ...WORK, parameters: { ...WORK.parameters, keyPrefix: derived(9).slice(0, 32) } };
  const cheap = { ...WORK, parameters: { ...WORK.parameters, keyPrefix: derived(1).slice(0, 32) } };
  for (const bring of ["open", "add"]) {
    const { registry, asked } = answering(
      wanted({ work: cheap }),
      json(428, { work: dearer }),
      json(200, STATUS),
    );
    const told =
      bring === "open" ? registry.open(MESSAGE, NEVER) : registry.add(STATUS.number, MESSAGE, NEVER);
    assert.deepEqual(await told, STATUS);
    const shown = asked.slice(1).map(({ headers }) => JSON.parse(atob(headers["Takeback-Work"])));
    assert.deepEqual(
      shown.map(({ challenge, solution }) => [challenge, solution.counter]),
      [
        [cheap, 1],
        [dearer, 9],
      ],
    );
    assert.deepEqual([asked[1].body, asked[2].body], [MESSAGE.body, MESSAGE.body]);
  }
});

test("a price that grows for ever is a registry that is busy", async () => {
  const cheap = { ...WORK, parameters: { ...WORK.parameters, keyPrefix: derived(1).slice(0, 32) } };
  const { registry, asked } = answering(...Array.from({ length: 20 }, () => json(428, { work: cheap })));
  assert.equal((await faultOf(registry.open(MESSAGE, NEVER))).kind, "busy");
  assert.equal(asked.length, 7);
});

test("the registry is told how much there is, counted as it counts", async () => {
  const counts = JSON.parse(readFileSync(new URL("../../../vectors/counts.json", import.meta.url), "utf8"));
  for (const [signals, count] of counts) {
    const [message] = messagesFor([PICTURE, { signals }], { pin: SECRETS.pin, makeKey: () => SECRETS.key });
    const { registry, asked } = answering(wanted({ work: null }), json(201, STATUS));
    await registry.open(message, NEVER);
    assert.equal(asked[0].path, `/v1/work?pictures=2&signals=${count + 1}`);
  }
});

test("a flood at the door of a case that is there passes too", async () => {
  const flood = answering(json(429, { type: "urn:takeback:problem:too-many-cases" }, { "Retry-After": "3" }));
  const fault = await faultOf(flood.registry.add(STATUS.number, MESSAGE, NEVER));
  assert.deepEqual([fault.kind, fault.retryAfter], ["busy", 3]);
});

test("one more wrong PIN after too many is a wrong PIN: the right one opens the case at once, so nobody is told to wait", async () => {
  const owner = { number: STATUS.number, pin: SECRETS.pin };
  for (const ask of [
    (/** @type {Registry} */ registry) => registry.add(STATUS.number, MESSAGE, NEVER),
    (/** @type {Registry} */ registry) => registry.read(owner, NEVER),
    (/** @type {Registry} */ registry) => registry.withdraw(owner, [], NEVER),
  ]) {
    const type = "urn:takeback:problem:too-many-guesses";
    const { registry } = answering(json(429, { type }, { "Retry-After": "86400" }));
    const fault = await faultOf(ask(registry));
    assert.deepEqual([fault.kind, fault.temporary], ["not-found", false]);
  }
});

test("the message is the protocol's, with its headers and nothing else", async () => {
  assert.equal(
    MESSAGE.body,
    '{"pictures":[{"signals":[{"type":"md5","value":"acbd18db4cc2f85cedef654fccc4a4d8"}]}]}',
  );
  const { registry, asked } = answering(json(201, STATUS));
  assert.deepEqual(await registry.open(MESSAGE, NEVER), STATUS);
  const [{ path, method, headers, body, credentials, referrerPolicy, cache, redirect }] = asked;
  assert.deepEqual(
    { path, method, headers, body },
    {
      path: "/v1/cases",
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "Takeback-Pin": SECRETS.pin,
        "Idempotency-Key": SECRETS.key,
      },
      body: MESSAGE.body,
    },
  );
  assert.deepEqual(
    [credentials, referrerPolicy, cache, redirect],
    ["omit", "no-referrer", "no-store", "error"],
  );
});

test("a case is read and withdrawn with its PIN in a header, never in the path", async () => {
  const { registry, asked } = answering(json(200, STATUS), json(200, { ...STATUS, state: "withdrawn" }));
  const ownership = { number: STATUS.number, pin: SECRETS.pin };
  await registry.read(ownership, NEVER);
  assert.equal((await registry.withdraw(ownership, [], NEVER)).state, "withdrawn");
  assert.deepEqual(
    asked.map(({ path, method, headers, body }) => [method, path, headers, body]),
    [
      [undefined, "/v1/cases/4829157306", { "Takeback-Pin": SECRETS.pin }, undefined],
      ["POST", "/v1/cases/4829157306/withdraw", { "Takeback-Pin": SECRETS.pin }, undefined],
    ],
  );
});

test("some pictures are withdrawn by their positions", async () => {
  const { registry, asked } = answering(json(200, STATUS));
  await registry.withdraw({ number: STATUS.number, pin: SECRETS.pin }, [0, 2], NEVER);
  const [{ path, headers, body }] = asked;
  assert.deepEqual(
    [path, headers["Content-Type"], body],
    ["/v1/cases/4829157306/withdraw", "application/json", '{"pictures":[0,2]}'],
  );
});

test("pictures are added to a case by its number, with the PIN in a header", async () => {
  const { registry, asked } = answering(json(200, STATUS));
  await registry.add(STATUS.number, MESSAGE, NEVER);
  const [{ path, method, headers, body }] = asked;
  assert.deepEqual(
    [path, method, headers, body],
    ["/v1/cases/4829157306/pictures", "POST", MESSAGE.headers, MESSAGE.body],
  );
});

test("many or large pictures go in messages that each fit, in order, each with a key of its own", () => {
  let keys = 0;
  const many = Array.from({ length: 120 }, (_, at) => ({ signals: [{ type: "md5", value: String(at) }] }));
  const large = Array.from({ length: 30 }, (_, at) => ({
    signals: [{ type: "vpdq", value: String(at).repeat(4000) }],
  }));
  for (const pictures of [many, large]) {
    const messages = messagesFor(pictures, { pin: SECRETS.pin, makeKey: () => String((keys += 1)) });
    assert.ok(messages.length > 1);
    assert.ok(messages.every(({ body }) => new TextEncoder().encode(body).length <= 65_536));
    assert.ok(messages.every(({ body }) => JSON.parse(body).pictures.length <= 50));
    assert.deepEqual(
      messages.flatMap(({ body }) => JSON.parse(body).pictures),
      pictures,
    );
    assert.equal(new Set(messages.map(({ headers }) => headers["Idempotency-Key"])).size, messages.length);
  }
});

test("what has its default is left out of the message, and the rest is said", () => {
  const ways = { pin: SECRETS.pin, makeKey: () => SECRETS.key, ageBand: "was_minor" };
  const [{ body }] = messagesFor([{ ...PICTURE, kind: "video", ai_made: true }], ways);
  assert.deepEqual(JSON.parse(body), {
    pictures: [{ ...PICTURE, kind: "video", ai_made: true }],
    age_band: "was_minor",
  });
});

test("a case that takes no more is told from a key that was used before", async () => {
  for (const [type, kind] of [
    ["urn:takeback:problem:case-closed", "closed"],
    ["urn:takeback:problem:key-reused", "refused"],
  ]) {
    const { registry } = answering(json(409, { type }));
    assert.equal((await faultOf(registry.add(STATUS.number, MESSAGE, NEVER))).kind, kind);
  }
});

test("each answer becomes the fault that it is", async () => {
  const table = [
    [400, "refused", false],
    [404, "not-found", false],
    [408, "busy", true],
    [409, "refused", false],
    [413, "refused", false],
    [429, "too-many", false],
    [500, "busy", true],
    [503, "busy", true],
  ];
  for (const [status, kind, passing] of table) {
    const { registry } = answering(json(status, { detail: "no" }, { "Retry-After": "7" }));
    const fault = await faultOf(registry.read({ number: STATUS.number, pin: SECRETS.pin }, NEVER));
    assert.ok(fault instanceof RegistryError);
    assert.deepEqual([fault.kind, fault.temporary], [kind, passing], String(status));
    if (["busy", "too-many"].includes(kind)) assert.equal(fault.retryAfter, 7);
  }
});

test("a flood at the door of a new case passes", async () => {
  const { registry } = answering(json(429, {}, { "Retry-After": "3" }));
  const fault = await faultOf(registry.open(MESSAGE, NEVER));
  assert.deepEqual([fault.kind, fault.retryAfter, fault.temporary], ["busy", 3, true]);
});

test("an answer that is not the registry's counts as no connection", async () => {
  const strangers = [
    "<html>Welcome to the hotel</html>",
    "{}",
    "null",
    JSON.stringify({ ...STATUS, number: "../1" }),
  ];
  for (const body of strangers) {
    const { registry } = answering(new Response(body, { status: 200 }));
    assert.equal((await faultOf(registry.open(MESSAGE, NEVER))).kind, "offline", body);
  }
});

test("a network that fails counts as no connection", async () => {
  const { registry } = answering(new TypeError("Failed to fetch"));
  assert.equal((await faultOf(registry.open(MESSAGE, NEVER))).kind, "offline");
});

test("a registry that never answers is slow", async () => {
  const fetch = (_path, { signal }) =>
    new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  const fault = await faultOf(new Registry({ fetch, timeout: 5 }).open(MESSAGE, NEVER));
  assert.equal(fault.kind, "slow");
});

test("the person's own stop is not a fault of the registry", async () => {
  const stop = new AbortController();
  const fetch = (_path, { signal }) =>
    new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  const asked = faultOf(new Registry({ fetch }).open(MESSAGE, stop.signal));
  stop.abort();
  assert.equal((await asked).name, "AbortError");
});

test("what is no case number is no answer of the registry, whatever stands after it", async () => {
  for (const number of ["4829157306\n", "4829157306 ", "48291573060", 4829157306, ["4829157306"], null]) {
    const { registry } = answering(json(200, { ...STATUS, number }));
    const fault = await faultOf(registry.read({ number: STATUS.number, pin: SECRETS.pin }, NEVER));
    assert.equal(fault.kind, "offline", JSON.stringify(number));
  }
});

test("the list of platforms is asked for without anything, and what is no list is no answer of the registry", async () => {
  const { registry, asked } = answering(json(200, { platforms: ["Photo Club"], unnamed: 2 }));
  assert.deepEqual(await registry.platforms(NEVER), { names: ["Photo Club"], unnamed: 2, sites: 0 });
  const more = answering(json(200, { platforms: [], unnamed: 0, small_sites: 12 }));
  assert.deepEqual(await more.registry.platforms(NEVER), { names: [], unnamed: 0, sites: 12 });
  assert.deepEqual([asked[0].path, asked[0].headers, asked[0].body], ["/v1/platforms", undefined, undefined]);
  const others = [
    { platforms: "all", unnamed: 0 },
    { platforms: [1], unnamed: 0 },
    { platforms: [] },
    { platforms: [], unnamed: 0, small_sites: "many" },
    [],
    null,
  ];
  for (const other of others) {
    const fault = await faultOf(answering(json(200, other)).registry.platforms(NEVER));
    assert.equal(fault.kind, "offline", JSON.stringify(other));
  }
  assert.equal((await faultOf(answering(json(503, {})).registry.platforms(NEVER))).kind, "busy");
});
