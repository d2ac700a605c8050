/**
 * A worker that a picture has taken over. It fills the memory that it shares with the page with an address that says what
 * it saw: before the page writes there, while the page may be writing, and afterwards.
 */
const { origin } = self.location;
const SEEN = new TextEncoder().encode(`${origin}/leak/shared-memory?zephyr-quartz-private `);

/** @param {SharedArrayBuffer} memory */
function fill(memory) {
  const bytes = new Uint8Array(memory);
  for (let at = 0; at < bytes.length; at += SEEN.length) bytes.set(SEEN.subarray(0, bytes.length - at), at);
}

onmessage = ({ data }) => {
  if (data.kind === "hash")
    return postMessage({ kind: "result", id: data.id, json: '{ "error": { "code": "unknown-format" } }' });
  if (data.kind !== "start") return undefined;
  const { bytes, filled } = data.files.second;
  fill(bytes);
  fill(filled);
  postMessage({ kind: "needs", name: "second-part.wasm" });
  for (let times = 0; times < 50; times += 1) {
    fill(bytes);
    Atomics.wait(new Int32Array(filled), 0, 1, 20);
  }
  fill(filled);
  Atomics.notify(new Int32Array(filled), 0);
  return postMessage({ kind: "ready" });
};
