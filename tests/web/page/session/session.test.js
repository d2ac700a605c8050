import assert from "node:assert/strict";
import { test } from "node:test";
import { Hasher } from "../../../../web/page/session/hasher.js";
import { RegistryError } from "../../../../web/page/registry/client.js";
import { Sender } from "../../../../web/page/session/sender.js";
import { Session } from "../../../../web/page/session/session.js";

const file = (name, size = 10, lastModified = 1) => /** @type {File} */ ({ name, size, lastModified });
const hashed = (value, quality = 100) => ({
  signals: [{ type: "md5", value }],
  quality,
  width: 1,
  height: 1,
  format: "JPEG",
});
const STATUS = {
  number: "4829157306",
  state: "active",
  received_at: "",
  withdrawn_at: null,
  platforms: 0,
  pictures: [],
};

/** A preparation whose answers are told by file name. */
function preparing(answers) {
  return {
    seen: [],
    async hash(picked, { onStep, signal }) {
      this.seen.push(picked.name);
      onStep("decoded");
      await undefined;
      const answer = answers[picked.name];
      if (typeof answer === "function") return answer(signal);
      if (typeof answer === "string") throw Object.assign(new Error(answer), { code: answer });
      return answer;
    },
  };
}

test("a file chosen twice stands in the list once", () => {
  const session = new Session();
  assert.deepEqual(session.add([file("a"), file("b"), file("a")], 50), { same: 1, over: 0 });
  assert.deepEqual(session.add([file("b"), file("b", 11)], 50), { same: 1, over: 0 });
  assert.equal(session.pictures.length, 3);
});

test("ten thousand files are looked at once each", () => {
  let looks = 0;
  const files = Array.from({ length: 10_000 }, (_, at) => ({
    get name() {
      looks += 1;
      return String(at % 9000);
    },
    size: 10,
    lastModified: 1,
  }));
  const session = new Session();
  assert.deepEqual(session.add(files, 200), { same: 1000, over: 8800 });
  assert.equal(looks, files.length);
});

test("pictures that are added while others are hashed are hashed too, each once", async () => {
  const session = new Session();
  session.add([file("a")], 50);
  const preparation = preparing({ a: hashed("1"), b: hashed("2") });
  const hasher = new Hasher(session, preparation);
  let ended = 0;
  hasher.addEventListener("ended", () => (ended += 1));
  const run = hasher.run();
  session.add([file("b")], 50);
  await Promise.all([run, hasher.run()]);
  assert.deepEqual([preparation.seen, ended, hasher.left], [["a", "b"], 1, 0]);
});

test("what is over the limit is left out and counted", () => {
  const session = new Session();
  const files = Array.from({ length: 60 }, (_, at) => file(String(at)));
  assert.deepEqual(session.add(files, 50), { same: 0, over: 10 });
  assert.deepEqual(session.add([file("late")], 50), { same: 0, over: 1 });
});

test("every picture goes through the worker, one bad file does not stop the rest, and copies are sent once", async () => {
  const session = new Session();
  session.add(
    ["a", "bad", "copy", "c"].map((name) => file(name)),
    50,
  );
  const preparation = preparing({
    a: hashed("1"),
    bad: "damaged-picture",
    copy: hashed("1"),
    c: hashed("2"),
  });
  const hasher = new Hasher(session, preparation);
  await hasher.run();
  assert.deepEqual(preparation.seen, ["a", "bad", "copy", "c"]);
  assert.deepEqual(
    session.pictures.map(({ stage, fault, sameAs }) => fault ?? sameAs ?? stage),
    ["done", "damaged-picture", 1, "done"],
  );
  assert.ok(hasher.finished);
  assert.equal(
    session.prepare().messages[0].body,
    JSON.stringify({ pictures: [{ signals: hashed("1").signals }, { signals: hashed("2").signals }] }),
  );
});

test("when the first of two copies is removed, the second is sent", async () => {
  const session = new Session();
  session.add([file("a"), file("copy")], 50);
  await new Hasher(session, preparing({ a: hashed("1"), copy: hashed("1") })).run();
  session.remove(session.pictures[0]);
  assert.deepEqual(
    session.pictures.map(({ stage }) => stage),
    ["done"],
  );
});

test("a runtime that fails is not the picture's fault: it waits", async () => {
  const session = new Session();
  session.add([file("a"), file("b")], 50);
  const hasher = new Hasher(session, preparing({ a: "runtime-unavailable", b: "runtime-unavailable" }));
  await hasher.run();
  assert.deepEqual(
    session.pictures.map(({ stage }) => stage),
    ["waiting", "waiting"],
  );
  assert.deepEqual([hasher.left, hasher.finished], [2, false]);
});

test("a stop puts the picture in work back, and going on does the rest", async () => {
  const session = new Session();
  session.add([file("a"), file("b")], 50);
  const until = (signal) =>
    new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  const answers = { a: hashed("1"), b: until };
  const hasher = new Hasher(session, preparing(answers));
  const run = hasher.run();
  await new Promise((done) => setTimeout(done, 5));
  hasher.stop();
  await run;
  assert.deepEqual(
    session.pictures.map(({ stage }) => stage),
    ["done", "waiting"],
  );
  answers.b = hashed("2");
  await hasher.run();
  assert.deepEqual(
    session.pictures.map(({ stage }) => stage),
    ["done", "done"],
  );
});

test("a picture without its phash is shown as done, is not finished, and begins anew after a stop", async () => {
  const session = new Session();
  session.add([file("a")], 50);
  const later = hashed("1");
  later.signals = [...later.signals, { type: "phash", value: "0123456789abcdef" }];
  /** @type {() => void} */
  let arrive = () => {};
  const hasher = new Hasher(session, {
    async hash(_file, { onHashed, signal }) {
      onHashed(hashed("1"));
      await new Promise((done, fail) => {
        arrive = () => done(undefined);
        signal.addEventListener("abort", () => fail(signal.reason));
      });
      return later;
    },
  });
  const stopped = hasher.run();
  assert.deepEqual([session.pictures[0].stage, hasher.finished], ["done", false]);
  hasher.stop();
  await stopped;
  assert.equal(session.pictures[0].stage, "waiting");
  const run = hasher.run();
  arrive();
  await run;
  assert.ok(hasher.finished);
  assert.match(session.prepare().messages[0].body, /"phash","value":"0123456789abcdef"/);
});

/** A session with one hashed picture. */
async function ready() {
  const session = new Session();
  session.add([file("a")], 50);
  await new Hasher(session, preparing({ a: hashed("1") })).run();
  return session;
}

test("a lost answer is asked for again with the same PIN, key and message", async () => {
  const session = await ready();
  const sent = [];
  const registry = {
    async open(message) {
      sent.push(message);
      if (sent.length < 3) throw new RegistryError("offline");
      return STATUS;
    },
  };
  const sender = new Sender(session, registry);
  sender.addEventListener(
    "change",
    () => sender.state.kind === "waiting" && queueMicrotask(() => sender.tryNow()),
  );
  const { pin } = session.prepare();
  await sender.start();
  assert.equal(sent.length, 3);
  assert.deepEqual(sent[0], sent[1]);
  assert.deepEqual(sent[0], sent[2]);
  assert.equal(sent[0].headers["Takeback-Pin"], pin);
  assert.deepEqual(
    [session.owned, session.pictures.length, sender.sent],
    [{ pin, status: STATUS }, 0, { count: 1, left: 0 }],
  );
});

test("a stop keeps what was prepared, so that sending again makes no second case", async () => {
  const session = await ready();
  const keys = [];
  const registry = {
    async open(message) {
      keys.push(message.headers["Idempotency-Key"]);
      if (keys.length === 1) throw new RegistryError("offline");
      return STATUS;
    },
  };
  const sender = new Sender(session, registry);
  const first = sender.start();
  await new Promise((done) => setTimeout(done, 5));
  assert.equal(sender.state.kind, "waiting");
  sender.stop();
  await first;
  assert.equal(sender.state.kind, "stopped");
  await sender.start();
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
});

test("what is no error of the registry is a fault, and the same message can be sent again", async () => {
  const session = await ready();
  const keys = [];
  const registry = {
    async open(message) {
      keys.push(message.headers["Idempotency-Key"]);
      if (keys.length === 1) throw new Error("crypto.subtle is undefined");
      if (keys.length === 2) throw new RegistryError("fault");
      return STATUS;
    },
  };
  const sender = new Sender(session, registry);
  for (const kind of ["fault", "fault", "idle"]) {
    await sender.start();
    assert.equal(sender.state.kind, kind);
  }
  assert.equal(new Set(keys).size, 1);
});

test("a message that is refused is not sent again by itself", async () => {
  const session = await ready();
  let tries = 0;
  const registry = {
    async open() {
      tries += 1;
      throw new RegistryError("refused");
    },
  };
  const sender = new Sender(session, registry);
  await sender.start();
  assert.deepEqual([tries, sender.state.kind, session.unsaved], [1, "refused", true]);
});

test("other pictures make another message, with a PIN and key of its own", async () => {
  const session = await ready();
  const before = session.prepare();
  assert.equal(session.prepare(), before);
  session.add([file("more")], 50);
  const after = session.prepare();
  assert.notEqual(after.pin, before.pin);
  const [one, other] = [before, after].map(({ messages }) => messages[0].headers["Idempotency-Key"]);
  assert.notEqual(one, other);
});

/** A session with so many hashed pictures that they need three messages. */
async function manyReady() {
  const session = new Session();
  const names = Array.from({ length: 120 }, (_, at) => String(at));
  session.add(
    names.map((name) => file(name)),
    200,
  );
  const answers = Object.fromEntries(names.map((name) => [name, hashed(name)]));
  await new Hasher(session, preparing(answers)).run();
  return session;
}

test("many pictures open one case and are added to it, all with one PIN", async () => {
  const session = await manyReady();
  const asked = [];
  const sender = new Sender(session, {
    async open(message) {
      asked.push(["open", message.headers["Takeback-Pin"]]);
      return STATUS;
    },
    async add(number, message) {
      asked.push([number, message.headers["Takeback-Pin"]]);
      return STATUS;
    },
  });
  const { pin } = session.prepare();
  await sender.start();
  assert.deepEqual(asked, [
    ["open", pin],
    [STATUS.number, pin],
    [STATUS.number, pin],
  ]);
  assert.deepEqual([session.pictures.length, sender.sent], [0, { count: 120, left: 0 }]);
});

test("when the rest is refused the case is kept, and what was not sent stays in the list", async () => {
  const session = await manyReady();
  const sender = new Sender(session, {
    async open() {
      return STATUS;
    },
    async add() {
      throw new RegistryError("refused");
    },
  });
  let arrived = 0;
  sender.addEventListener("sent", () => (arrived += 1));
  await sender.start();
  assert.deepEqual([arrived, session.owned?.status, sender.sent], [1, STATUS, { count: 50, left: 70 }]);
  assert.equal(session.pictures.length, 70);
  assert.equal(session.ready.length, 70);
});

test("a stop after the first message leads to the case, not back to a second one", async () => {
  const session = await manyReady();
  const sender = new Sender(session, {
    async open() {
      return STATUS;
    },
    async add() {
      throw new RegistryError("offline");
    },
  });
  let arrived = 0;
  sender.addEventListener("sent", () => (arrived += 1));
  const sending = sender.start();
  await new Promise((done) => setTimeout(done, 5));
  sender.stop();
  await sending;
  assert.deepEqual([arrived, session.owned?.status, session.outgoing], [1, STATUS, null]);
});

test("pictures that join a case go with its PIN and leave its receipt as it is", async () => {
  const session = await ready();
  session.owned = { pin: "K7QM-2XRW-9DHF", status: STATUS };
  session.adding = true;
  const asked = [];
  const sender = new Sender(session, {
    async add(number, message) {
      asked.push([number, message.headers["Takeback-Pin"]]);
      return STATUS;
    },
  });
  await sender.start();
  assert.deepEqual(asked, [[STATUS.number, "K7QM-2XRW-9DHF"]]);
  assert.deepEqual([sender.sent, session.pictures.length], [{ count: 1, left: 0 }, 0]);
});

test("what the person says of the pictures is in the message: made with AI, grown up since", async () => {
  const session = await ready();
  session.ai = true;
  session.about = "then";
  const [{ body }] = session.prepare().messages;
  const { pictures, age_band } = JSON.parse(body);
  assert.deepEqual([pictures[0].ai_made, age_band], [true, "was_minor"]);
});

test("there is something to say of a picture unless it is done, whole and can be matched", async () => {
  const remarksOf = async (given, stage = "done") => {
    const session = new Session();
    session.add([file("a.jpg")], 200);
    Object.assign(session.pictures[0], { stage, hashed: { ...hashed("1"), ...given } });
    return session.remarks;
  };
  assert.equal(await remarksOf({}), 0);
  assert.equal(await remarksOf({ quality: 50 }), 0);
  assert.equal(await remarksOf({ quality: 49 }), 1);
  assert.equal(await remarksOf({ quality: null }), 1);
  assert.equal(await remarksOf({ incomplete: true }), 1);
  assert.equal(await remarksOf({ unseen: "damaged-picture" }), 1);
  assert.equal(await remarksOf({}, "same"), 1);
  assert.equal(await remarksOf({}, "failed"), 1);
});

test("wiping leaves nothing", async () => {
  const session = await ready();
  session.prepare();
  session.accept(STATUS);
  session.wipe();
  assert.deepEqual({ ...session }, { ...new Session() });
  assert.ok(!session.unsaved);
});
