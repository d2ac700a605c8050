/** Exact hashes of a file of any size, read in chunks. */
import { createMD5, createSHA256 } from "hash-wasm";

const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * SHA-256 and MD5 of a file.
 *
 * @param {Blob} file
 * @param {(share: number) => void} onShare gets the progress, from 0 to 1
 * @throws {DOMException} if the browser cannot read the file
 */
export async function exactSignals(file, onShare) {
  const [sha256, md5] = await Promise.all([createSHA256(), createMD5()]);
  for (let at = 0; at < file.size; at += CHUNK_BYTES) {
    const chunk = new Uint8Array(await file.slice(at, at + CHUNK_BYTES).arrayBuffer());
    sha256.update(chunk);
    md5.update(chunk);
    onShare(Math.min(1, (at + CHUNK_BYTES) / file.size));
  }
  return [
    { type: "sha256", value: sha256.digest("hex") },
    { type: "md5", value: md5.digest("hex") },
  ];
}
