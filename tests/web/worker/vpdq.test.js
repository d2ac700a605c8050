import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { STILLS, videoFormat } from "../../../web/worker/sniff.js";
import { samples, vpdqSignals, vpdqValue } from "../../../web/worker/vpdq.js";

const VECTORS = JSON.parse(readFileSync(new URL("../../vectors/vpdq.json", import.meta.url), "utf8")).samples;

test("at every rate of frames those are sampled that the vectors name", () => {
  for (const { rate, count, samples: expected } of VECTORS)
    assert.deepEqual(samples(Float64Array.from({ length: count }, (_, number) => number / rate)), expected);
});

test("a frame whose very hash came before is left out, and times have three decimals", () => {
  const frame = (number, hash, seconds) => ({ number, quality: 7, hash, seconds });
  const frames = [frame(0, "a", 0), frame(1, "a", 0.5), frame(2, "b", 0.0625), frame(9, "c", 61.9996)];
  assert.equal(vpdqValue(frames), "0,7,a,0.000;2,7,b,0.063;9,7,c,62.000");
});

test("containers of videos are told from pictures in the same container and from everything else", async () => {
  const kinds = {
    ftypisom: "MP4",
    "ftypqt  ": "MOV",
    "moov\0\0\0\0": "MOV",
    ftypheic: undefined,
    ftyp: undefined,
  };
  for (const [text, kind] of Object.entries(kinds))
    assert.equal(await videoFormat(new Blob([new Uint8Array(4), text])), kind);
  assert.equal(await videoFormat(new Blob([Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3)])), "WEBM");
  assert.equal(await videoFormat(new Blob([])), undefined);
});

test("pictures are told from videos by all their brands, with the list that Python has", async () => {
  const { stills, starts } = JSON.parse(
    readFileSync(new URL("../../vectors/brands.json", import.meta.url), "utf8"),
  );
  assert.deepEqual([...STILLS].sort(), stills);
  for (const { what, start, kind } of starts) {
    const video = kind === "MP4" || kind === "MOV" ? kind : undefined;
    assert.equal(await videoFormat(new Blob([Buffer.from(start, "hex")])), video, what);
  }
});

test("a vpdq is sent of frames that tell something, if there are two at least", () => {
  const frame = (number, hash) => ({ number, quality: 100, hash, seconds: number });
  const [one, other, black] = ["f".repeat(32) + "0".repeat(32), "3".repeat(64), `${"0".repeat(63)}1`];
  const both = [frame(0, one), frame(2, other)];
  assert.deepEqual(vpdqSignals([both[0], frame(1, black), both[1]]), [
    { type: "vpdq", value: vpdqValue(both) },
  ]);
  for (const few of [[], [both[0]], [frame(0, black), both[1]], [both[0], frame(1, one)]])
    assert.deepEqual(vpdqSignals(few), []);
});
