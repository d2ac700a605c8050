import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { prepared, shown } from "../../../web/worker/edits.js";

const VECTORS = JSON.parse(readFileSync(new URL("../../vectors/vpdq.json", import.meta.url), "utf8")).edits;
const video = (name) => readFileSync(new URL(`../../vectors/videos/${name}`, import.meta.url));

test("those frames are shown at those times that the vectors name", () => {
  for (const { starts, edits, shown: expected } of VECTORS) {
    const found = shown(
      starts,
      edits.map(([start, length]) => ({ start, length })),
      starts.length,
    );
    assert.deepEqual(
      found.map(({ at, frame }) => [at, frame]),
      expected,
    );
  }
});

test("a list that repeats without end is refused", () => {
  const edits = Array.from({ length: 50 }, () => ({ start: 0, length: 100 }));
  assert.throws(
    () =>
      shown(
        Float64Array.from({ length: 100 }, (_, at) => at),
        edits,
        4000,
      ),
    RangeError,
  );
});

test("what the demuxer must not see is taken out, and nothing else", async () => {
  for (const [name, hidden] of [
    ["two-edits.mov", "edts"],
    ["short-colours.mov", "colr"],
  ]) {
    const data = video(name);
    const { file, tracks, soundOnly } = await prepared(new Blob([data]));
    const seen = Buffer.from(await file.arrayBuffer());
    assert.equal(seen.length, data.length);
    assert.equal(seen.includes(hidden), false);
    assert.ok([...seen].filter((byte, at) => byte !== data[at]).length <= 12);
    assert.deepEqual([tracks.size, soundOnly], [1, false]);
  }
  const { tracks } = await prepared(new Blob([video("gap.mov")]));
  assert.deepEqual(tracks.get(1).edits[1], { start: 5120, length: 10240 });
});

test("damage anywhere gives a file of the same size", async () => {
  const data = video("two-edits.mov");
  for (let place = 0; place < data.length; place += 97) {
    const broken = Buffer.from(data);
    broken.fill(place % 251, place, place + 9);
    assert.equal((await prepared(new Blob([broken]))).file.size, data.length);
    assert.equal((await prepared(new Blob([data.subarray(0, place)]))).file.size, place);
  }
});
