import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { effectsOf } from "../../../../web/page/state/effects.js";
import { BACK_AT_TOP, offers } from "../../../../web/page/state/ways.js";
import { BEGINNING, KINDS, backFrom, isSending, next } from "../../../../web/page/state/state.js";

const SCREENS = Object.keys(KINDS);
/** Every event, with each of the details that make a difference. */
const EVENTS = [
  ...SCREENS.map((to) => ({ type: "go", to })),
  ...[
    ...["back", "return", "hash", "stop-hashing", "send", "send-anew", "try-now", "stop-sending"],
    ...["look-up", "refresh", "add", "withdraw", "retry-device", "language", "finish", "leave"],
    ...["drawn", "device-ready", "device-failed", "device-unsupported", "online", "offline"],
    ...["trying", "waits", "accepted", "refused", "closed", "fault", "answered", "unanswered"],
  ].map((type) => ({ type })),
  ...[0, 2].map((count) => ({ type: "list-changed", count })),
  ...[true, false].map((kept) => ({ type: "keep", kept })),
  ...[0, 3].map((left) => ({ type: "sent", left })),
  ...[true, false].map((told) => ({ type: "listed", told })),
  ...[
    [0, 2, 0],
    [0, 2, 1],
    [0, 0, 0],
    [1, 1, 0],
  ].map(([left, ready, remarks]) => ({ type: "hashed", left, ready, remarks })),
];
const nameOf = ({ type, to, count, kept, left, ready, remarks, told }) =>
  [type, to, count, kept, left, ready, remarks, told].filter((part) => part !== undefined).join(" ");
const BY_NAME = Object.fromEntries(EVENTS.map((event) => [nameOf(event), event]));

/** A state on a screen of the way, or beside it, with other regions as given. */
function at(screen, changes = {}) {
  const origin = KINDS[screen] === "way" ? screen : "where";
  const under = KINDS[screen] === "glance" ? origin : screen;
  return { ...BEGINNING, device: "ready", listing: "told", screen, origin, under, ...changes };
}

/**
 * A table in words: a row for each state of one region, a column for each event; `.` leaves it as it is. Rows and columns
 * that a table does not name are checked to leave the region as it is in `others`.
 */
function table(text) {
  const [head, ...rows] = text.trim().split("\n");
  const columns = head
    .split("|")
    .slice(1)
    .map((cell) => cell.trim());
  return rows.flatMap((line) => {
    const [row, ...cells] = line.split("|").map((cell) => cell.trim());
    assert.equal(cells.length, columns.length, line);
    return columns.map((column, at) => ({ row, column, to: cells[at] === "." ? row : cells[at] }));
  });
}

/** Every cell of a region's table holds, and every event that has no column leaves each of its states alone. */
function holds(region, values, text, stateOf) {
  const cells = table(text);
  assert.deepEqual([...new Set(cells.map(({ row }) => row))].sort(), [...values].sort());
  const named = new Set(cells.map(({ column }) => column));
  for (const { row, column, to } of cells)
    assert.equal(next(stateOf(row), BY_NAME[column])[region], to, `${row} on ${column}`);
  for (const value of values)
    for (const event of EVENTS) {
      if (named.has(nameOf(event)) || event.type === "finish" || event.type === "leave") continue;
      assert.equal(next(stateOf(value), event)[region], value, `${value} on ${nameOf(event)}`);
    }
}

const HASHING = ["idle", "running", "stopped", "stuck", "done", "none"];
const SENDING = ["idle", "sending", "waiting", "stopped", "refused", "closed", "fault"];
const DEVICE = ["asleep", "loading", "ready", "failed", "unsupported"];
const REQUEST = ["none", "looking", "refreshing", "withdrawing"];
const RECEIPT = ["none", "unkept", "kept"];
const LISTING = ["none", "asking", "told", "failed"];

test("the table of hashing", () => {
  const text = `
          | hash    | stop-hashing | back    | list-changed 2 | list-changed 0 | hashed 0 2 0 | hashed 0 2 1 | hashed 0 0 0 | hashed 1 1 0 | device-ready | sent 0 | sent 3
  idle    | running | .            | .       | .              | .              | .            | .            | .            | .            | .            | .      | .
  running | .       | stopped      | stopped | .              | idle           | done         | done         | none         | stuck        | .            | idle   | .
  stopped | running | .            | .       | idle           | idle           | .            | .            | .            | .            | .            | idle   | .
  stuck   | running | .            | .       | idle           | idle           | .            | .            | .            | .            | running      | idle   | .
  done    | running | .            | .       | idle           | idle           | .            | .            | .            | .            | .            | idle   | .
  none    | running | .            | .       | idle           | idle           | .            | .            | .            | .            | .            | idle   | .`;
  holds("hashing", HASHING, text, (hashing) => at("hashing", { hashing }));
});

test("the table of sending", () => {
  const text = `
          | send    | send-anew | stop-sending | trying  | waits   | refused | closed | fault | sent 0 | sent 3 | list-changed 2 | list-changed 0 | back | go start | go pictures | go review | go age | go where
  idle    | sending | .         | .            | .       | .       | .       | .      | .     | .      | .      | .              | .              | .    | .        | .           | .         | .      | .
  sending | .       | .         | stopped      | .       | waiting | refused | closed | fault | idle   | idle   | .              | .              | .    | .        | .           | .         | .      | .
  waiting | .       | .         | stopped      | sending | .       | refused | closed | fault | idle   | idle   | .              | .              | .    | .        | .           | .         | .      | .
  stopped | sending | .         | .            | .       | .       | .       | .      | .     | idle   | idle   | idle           | idle           | idle | idle     | idle        | idle      | .      | .
  refused | .       | sending   | .            | .       | .       | .       | .      | .     | idle   | idle   | idle           | idle           | idle | idle     | idle        | idle      | .      | .
  closed  | .       | .         | .            | .       | .       | .       | .      | .     | idle   | idle   | idle           | idle           | .    | idle     | idle        | idle      | .      | .
  fault   | sending | sending   | .            | .       | .       | .       | .      | .     | idle   | idle   | idle           | idle           | idle | idle     | idle        | idle      | .      | .`;
  holds("sending", SENDING, text, (sending) => at("sending", { hashing: "done", sending, receipt: "kept" }));
});

test("the table of the device", () => {
  const text = `
              | drawn   | hash    | retry-device | online  | device-ready | device-failed | device-unsupported
  asleep      | loading | loading | loading      | .       | ready        | failed        | unsupported
  loading     | .       | .       | .            | .       | ready        | failed        | unsupported
  ready       | .       | .       | .            | .       | .            | failed        | .
  failed      | .       | loading | loading      | loading | ready        | .             | unsupported
  unsupported | .       | .       | .            | .       | .            | .             | .`;
  holds("device", DEVICE, text, (device) => at("pictures", { device }));
});

test("the table of requests: a look-up and a refresh end where they are left, a withdrawal goes on", () => {
  const asked = { none: "case", looking: "lookup", refreshing: "case", withdrawing: "withdraw" };
  for (const [request, screen] of Object.entries(asked))
    for (const event of EVENTS) {
      if (event.type === "finish" || event.type === "leave") continue;
      const after = next(at(screen, { request, receipt: "kept" }), event);
      const over = ["answered", "unanswered"].includes(event.type);
      const left =
        (request === "looking" && after.origin !== "lookup") ||
        (request === "refreshing" && after.screen !== "case");
      const begun = request === "none" && event.type === "refresh" ? "refreshing" : request;
      assert.equal(after.request, over || left ? "none" : begun, `${request} on ${nameOf(event)}`);
      if (request === "withdrawing" && !over) assert.equal(after.origin, "withdraw", nameOf(event));
    }
  assert.equal(next(at("lookup"), { type: "look-up" }).request, "looking");
  assert.equal(next(at("withdraw", { receipt: "kept" }), { type: "withdraw" }).request, "withdrawing");
});

test("the table of the receipt", () => {
  const text = `
         | accepted | keep true | keep false
  none   | unkept   | .         | .
  unkept | .        | kept      | .
  kept   | unkept   | .         | unkept`;
  holds("receipt", RECEIPT, text, (receipt) => at("receipt", { receipt }));
  assert.equal(next(at("sending", { adding: true, receipt: "kept" }), { type: "accepted" }).receipt, "kept");
  assert.equal(next(at("lookup", { request: "looking" }), { type: "answered" }).receipt, "kept");
});

test("the table of the list of platforms: elsewhere nothing asks for it, and after a failure the next screen does", () => {
  const text = `
         | go review | go case | listed true | listed false | online | refresh
  none   | asking    | asking  | .           | .            | .      | .
  asking | .         | .       | told        | none         | .      | .
  told   | .         | .       | .           | .            | .      | .
  failed | asking    | asking  | none        | none         | none   | none`;
  for (const { row, column, to } of table(text)) {
    const before = at("pictures", { listing: row, hashing: "done", receipt: "kept" });
    assert.equal(
      next(next(before, { type: "language" }), BY_NAME[column]).listing,
      to,
      `${row} on ${column}`,
    );
  }
  for (const screen of ["review", "case"]) {
    const failed = at(screen, { listing: "failed", hashing: "done", receipt: "kept" });
    assert.equal(next(failed, { type: "language" }).listing, "failed");
    const again = next(failed, { type: "online" });
    assert.equal(again.listing, "asking");
    assert.deepEqual(effectsOf(failed, again, { type: "online" }), ["list-platforms"]);
  }
});

test("hashing goes on to the message by itself, unless there is something to say of a picture", () => {
  const running = at("hashing", { hashing: "running" });
  assert.equal(next(running, BY_NAME["hashed 0 2 0"]).screen, "review");
  assert.equal(next(running, BY_NAME["hashed 0 2 1"]).screen, "hashing");
  assert.equal(next(running, BY_NAME["hashed 0 0 0"]).screen, "hashing");
  assert.equal(next(running, BY_NAME["hashed 1 1 0"]).screen, "hashing");
  const away = next(next(running, { type: "go", to: "urgent" }), BY_NAME["hashed 0 2 0"]);
  assert.equal(away.screen, "urgent");
  assert.equal(next(away, { type: "return" }).screen, "review");
});

test("Back leads one step back on each screen, and from three of them out of the page or nowhere", () => {
  const text = `
    start null | age start | adult age | where age | pictures where | hashing pictures | review pictures
    sending review | receipt case | lookup start | case null | withdraw case | unsupported null
    posted where | platform posted | notice posted | letters notice | nofile where
    urgent where | helplines where | faq where | how where`;
  const pairs = text.split(/[|\n]/).flatMap((pair) => (pair.trim() ? [pair.trim().split(" ")] : []));
  assert.deepEqual(pairs.map(([screen]) => screen).sort(), [...SCREENS].sort());
  for (const [screen, to] of pairs) {
    const state = at(screen, { hashing: "done", receipt: "kept" });
    assert.equal(String(backFrom(state)), to, screen);
    assert.equal(next(state, { type: "back" }).screen, to === "null" ? screen : to, screen);
  }
  assert.equal(next(at("pictures", { adding: true, receipt: "kept" }), { type: "back" }).screen, "case");
  assert.equal(next(at("sending", { sending: "closed", receipt: "kept" }), { type: "back" }).screen, "case");
});

test("from each screen each screen can be asked for, and is shown unless something would be lost", () => {
  for (const from of SCREENS)
    for (const to of SCREENS) {
      const free = next(at(from, { hashing: "done", receipt: "kept" }), { type: "go", to });
      assert.equal(free.screen, to === "sending" ? "review" : to, `${from} to ${to}`);
      const bound = { receipt: "unkept", sending: "sending", request: "withdrawing" };
      const kept = { receipt: "receipt", sending: "sending", request: "withdraw" };
      for (const [region, value] of Object.entries(bound)) {
        const { screen } = next(at(from, { receipt: "kept", [region]: value }), { type: "go", to });
        assert.equal(screen, KINDS[to] === "way" ? kept[region] : to, `${from} to ${to}, ${value}`);
      }
    }
});

/** What goes on or was stopped on a screen. */
const BUSY = {
  review: { hashing: "done" },
  hashing: { hashing: "stopped" },
  sending: { sending: "stopped", hashing: "done" },
};

test("what is only looked at leads back to the screen before it, and what is beside the way to the way", () => {
  const glances = SCREENS.filter((screen) => KINDS[screen] === "glance");
  const others = SCREENS.filter((screen) => KINDS[screen] !== "glance");
  for (const screen of others)
    for (const first of glances)
      for (const second of glances) {
        const begin = at(screen, { ...BUSY[screen], receipt: "kept" });
        const looked = [first, second].reduce((state, to) => next(state, { type: "go", to }), begin);
        const back = next(looked, { type: "return" });
        assert.deepEqual(back, begin, `${screen}, ${first}, ${second}`);
        if (KINDS[screen] === "side") assert.equal(next(back, { type: "return" }).screen, "where");
      }
});

test("a change of language, going offline: no screen changes and nothing starts", () => {
  for (const screen of SCREENS)
    for (const type of ["language", "offline", "drawn"])
      for (const sending of screen === "sending" ? SENDING : ["idle"])
        for (const hashing of HASHING) {
          const before = at(screen, { sending, hashing });
          const after = next(before, { type });
          assert.deepEqual(after, type === "offline" ? { ...before, online: false } : before);
          assert.deepEqual(effectsOf(before, after, { type }), []);
        }
});

test("a reload forgets everything, and finishing keeps the device ready", () => {
  for (const screen of SCREENS) {
    const before = at(screen, { hashing: "running", sending: "waiting", receipt: "unkept" });
    assert.deepEqual(next(before, { type: "leave" }), BEGINNING);
    assert.deepEqual(next(before, { type: "finish" }), { ...BEGINNING, device: "ready" });
    assert.deepEqual(effectsOf(before, BEGINNING, { type: "leave" }), ["wipe", "close"]);
    assert.deepEqual(effectsOf(before, BEGINNING, { type: "finish" }), ["wipe", "renew-workers"]);
  }
});

test("a message that arrives while the person looks at something else leads to the receipt when they come back", () => {
  const away = next(at("sending", { sending: "sending", hashing: "done" }), { type: "go", to: "urgent" });
  const sent = next(next(away, { type: "accepted" }), { type: "sent", left: 0 });
  assert.equal(sent.screen, "urgent");
  assert.equal(next(sent, { type: "return" }).screen, "receipt");
});

test("only an act of the person starts sending, hashing or a question to the registry", () => {
  const allowed = {
    send: ["send", "send-anew"],
    hash: ["hash", "list-changed", "device-ready"],
    "look-up": ["look-up"],
    refresh: ["refresh"],
    withdraw: ["withdraw"],
    prepare: ["drawn", "hash", "retry-device", "online"],
    "try-now": ["try-now", "online"],
  };
  walk((before, event, after) => {
    for (const effect of effectsOf(before, after, event))
      assert.ok(!allowed[effect] || allowed[effect].includes(event.type), `${effect} by ${nameOf(event)}`);
  });
});

test("what a screen is said to offer stands in its source", () => {
  for (const screen of SCREENS) {
    const file = new URL(`../../../../web/page/screens/${screen}.js`, import.meta.url);
    const source = readFileSync(file, "utf8");
    const said = new Set(source.match(/(?<=")[a-z-]+(?=")/g));
    if (screen === "hashing" || screen === "sending") assert.match(source, /offers\(app\.state\)/);
    else
      for (const receipt of RECEIPT)
        for (const act of offers(at(screen, { receipt })))
          assert.ok(
            said.has(act.to ?? act.type) ||
              source.includes(CALLS[act.type]) ||
              (act.type === "back" && BACK_AT_TOP.has(screen)),
            `${screen}: ${nameOf(act)}`,
          );
  }
});

/** Acts that a screen tells by another name. */
const CALLS = { "look-up": "app.lookUp(" };

test("what is stopped stays stopped until the person says so, whatever they look at", () => {
  const looks = [
    ...AROUND,
    { type: "return" },
    { type: "language" },
    { type: "online" },
    { type: "offline" },
  ];
  for (const region of [{ sending: "stopped", hashing: "done" }, { hashing: "stopped" }]) {
    const begin = at(region.sending ? "sending" : "hashing", region);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...looks)), (events) => {
        let state = begin;
        for (const event of events) {
          const after = next(state, event);
          assert.deepEqual(effectsOf(state, after, event), []);
          state = after;
        }
      }),
    );
  }
});

/** The menu and "Help now", which stand around every screen. */
const AROUND = ["start", "lookup", "posted", "urgent", "helplines", "faq", "how"];

/** Any event, or one of those that the screen offers. */
const step = fc.tuple(fc.constantFrom(...EVENTS), fc.nat(20), fc.boolean());

/** Calls `look` for each step of random walks through the states. */
function walk(look) {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let state = BEGINNING;
      for (const [any, offered, isOffered] of steps) {
        const own = offers(state);
        const event = isOffered && own.length > 0 ? own[offered % own.length] : any;
        const after = next(state, event);
        look(state, event, after);
        state = after;
      }
    }),
    { numRuns: 2000 },
  );
}

/** What the world does by itself, sooner or later: no person has to press anything for it. */
const SOONER_OR_LATER = [
  { type: "device-ready" },
  { type: "hashed", left: 0, ready: 2, remarks: 1 },
  { type: "sent", left: 0 },
  { type: "unanswered" },
];

/** Where a person is at rest: nothing goes on and nothing can get lost. */
const GOALS = ["start", "case", "unsupported"];

/** Whether a state in which everything is over can be reached by what the screens offer. */
function hasWayOut(state) {
  const seen = new Set();
  let edge = [state];
  while (edge.length > 0) {
    const fresh = edge.filter((one) => !seen.has(JSON.stringify(one)));
    if (fresh.some(({ screen }) => GOALS.includes(screen))) return true;
    for (const one of fresh) seen.add(JSON.stringify(one));
    edge = fresh.flatMap((one) => [...offers(one), ...SOONER_OR_LATER].map((event) => next(one, event)));
  }
  return false;
}

test("no state is without a way on, by the buttons of its screen alone", () => {
  const known = new Map();
  walk((_before, event, after) => {
    const key = JSON.stringify(after);
    if (!known.has(key)) known.set(key, hasWayOut(after));
    assert.ok(known.get(key), `${nameOf(event)} led to ${key}`);
    const waits = isSending(after) || after.request === "withdrawing" || after.screen === "unsupported";
    if (!waits) assert.ok(offers(after).length > 0, key);
  });
  assert.ok(known.size > 150, String(known.size));
});

test("in every reachable state the regions fit each other", () => {
  walk((_before, _event, { screen, origin, under, sending, receipt, adding, request }) => {
    assert.equal(KINDS[origin], "way");
    assert.notEqual(KINDS[under], "glance");
    if (KINDS[screen] !== "glance") assert.equal(under, screen);
    if (KINDS[screen] === "way") assert.equal(origin, screen);
    if (sending === "sending" || sending === "waiting") assert.equal(origin, "sending");
    if (request === "withdrawing") assert.equal(origin, "withdraw");
    if (adding) assert.notEqual(receipt, "none");
  });
});
