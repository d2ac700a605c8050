import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { FrameChoice, MAX_CHOSEN_FRAMES } from "../../../web/worker/choice.js";

const VECTORS = JSON.parse(readFileSync(new URL("../../vectors/choice.json", import.meta.url), "utf8"));

test("the frames that stand for a video are those that the vectors name, and few are kept at a time", () => {
  for (const { frames, chosen } of VECTORS) {
    const choice = new FrameChoice();
    let kept = 0;
    frames.forEach(([quality, hash], place) => {
      choice.offer({ quality, hash }, () => (kept += 1) && place);
      assert(choice.chosen.length <= MAX_CHOSEN_FRAMES);
    });
    assert.deepEqual(choice.chosen, chosen);
    assert(kept <= frames.length);
  }
});
