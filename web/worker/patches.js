/** The text of local hashes: PROTOCOL.md, "The local hashes of a picture"; the same as in `py/takeback/signals.py`. */

/** Local hashes of at least one frame, or none are sent: fewer do not identify a picture. */
const MIN_PATCHES = 3;

/**
 * The signal of the frames that stand for a video, given the local hashes of each; none if all frames are too plain.
 *
 * @param {string[][]} frames
 */
export function patchesSignals(frames) {
  const found = frames.filter((hashes) => hashes.length);
  if (!found.some((hashes) => hashes.length >= MIN_PATCHES)) return [];
  return [{ type: "patches", value: found.map((hashes) => [...hashes].sort().join(",")).join(";") }];
}
