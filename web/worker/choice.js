/**
 * Chooses the frames that stand for a video, while they are decoded. It must do the same as `FrameChoice` in
 * `py/takeback/hashing/frames.py`; `tests/vectors/choice.json` tests both.
 */

import { PDQ_MATCH_DISTANCE, hasDetail, ones } from "./vpdq.js";

/** @typedef {import("./kernel.js").Thumbnail} Thumbnail */

/** Frames that stand for a video. */
export const MAX_CHOSEN_FRAMES = 12;
const QUALITY_FLOOR = 50;
/** Of the 64 x 64 samples; frames with less detail are text on a plain ground and the like. */
const MIN_DETAIL_PERCENT = 5;

/**
 * @template T what to keep of a frame, such as its thumbnail
 */
export class FrameChoice {
  #offered = 0;
  /** @type {{ order: number, quality: number, hash: string, item: T }[]} */
  #kept = [];

  /**
   * Offers the next sampled frame, in the order of the track.
   *
   * @param {{ quality: number, hash: string }} frame
   * @param {() => T} keep called if the frame is kept for now
   */
  offer({ quality, hash }, keep) {
    const order = this.#offered++;
    if (quality < QUALITY_FLOOR || !hasDetail(hash)) return;
    const far = this.#kept.map((kept) => distance(kept.hash, hash));
    const nearest = Math.min(...far);
    if (nearest <= PDQ_MATCH_DISTANCE) {
      const place = far.indexOf(nearest);
      if ((this.#kept[place]?.quality ?? 0) >= quality) return;
      this.#kept.splice(place, 1);
    }
    this.#kept.push({ order, quality, hash, item: keep() });
    if (this.#kept.length > MAX_CHOSEN_FRAMES) {
      const orders = this.#kept.map((kept) => kept.order);
      const spans = orders.slice(2).map((after, place) => after - (orders[place] ?? 0));
      this.#kept.splice(1 + spans.indexOf(Math.min(...spans)), 1);
    }
  }

  /** What was kept of the chosen frames, in the order of the track. */
  get chosen() {
    return this.#kept.map(({ item }) => item);
  }
}

/**
 * The thumbnails of the frames that stand for a video, by what the caller calls a frame. It must do the same as
 * `FrameHashes` in `py/takeback/hashing/frames.py`.
 */
export class ChosenFrames {
  /** @type {FrameChoice<{ key: number, detail: number, thumbnail: Thumbnail }>} */
  #choice = new FrameChoice();

  /**
   * Offers the next sampled frame, in the order of the track.
   *
   * @param {number} key
   * @param {{ quality: number, hash: string, detail: number }} frame
   * @param {() => Thumbnail} thumbnail
   */
  offer(key, frame, thumbnail) {
    this.#choice.offer(frame, () => ({ key, detail: frame.detail, thumbnail: thumbnail() }));
  }

  /**
   * The thumbnails in the order in which the frames are first shown; frames with little detail are left out.
   *
   * @param {number[]} shown the keys of the frames
   */
  inOrder(shown) {
    const detailed = this.#choice.chosen.filter(({ detail }) => detail >= MIN_DETAIL_PERCENT);
    const place = (/** @type {{ key: number }} */ { key }) => shown.indexOf(key);
    return detailed.sort((a, b) => place(a) - place(b)).map(({ thumbnail }) => thumbnail);
  }
}

/**
 * Bits in which two hashes differ.
 *
 * @param {string} a
 * @param {string} b
 */
function distance(a, b) {
  let bits = 0;
  for (let at = 0; at < a.length; at += 1)
    bits += ones(Number.parseInt(a.charAt(at), 16) ^ Number.parseInt(b.charAt(at), 16));
  return bits;
}
