import assert from "node:assert/strict";
import { test } from "node:test";
import { isSecondTap } from "../../../../web/page/frame/mishaps.js";

const first = { time: 1000, x: 50, y: 50 };
const tap = (later, right = 0) => ({ time: first.time + later, x: first.x + right, y: first.y });

test("a mouse's clicks are counted by the browser, however far apart", () => {
  assert.ok(isSecondTap(first, tap(10), { detail: 2, pointerType: "mouse" }));
  assert.ok(!isSecondTap(first, tap(10), { detail: 1, pointerType: "mouse" }));
});

test("a finger's second tap is soon and near; a later one, or one elsewhere, is meant", () => {
  const finger = { detail: 1, pointerType: "touch" };
  assert.ok(isSecondTap(first, tap(300, 20), finger));
  assert.ok(!isSecondTap(first, tap(600), finger));
  assert.ok(!isSecondTap(first, tap(300, 100), finger));
});

test("a key is no tap", () => {
  assert.ok(!isSecondTap(first, tap(1), { detail: 0, pointerType: "" }));
});
