/** Exact hashes of a file of any size, read piece by piece. */
import { createMD5, createSHA256 } from "hash-wasm";

/** Bytes held at a time. */
const PIECE = 4 * 1024 * 1024;

/**
 * SHA-256 and MD5 of a file. Rejects when the browser cannot read it.
 *
 * @param {Blob} file
 * @param {(share: number) => void} onShare hears from 0 to 1 how much is done
 */
export async function exactSignals(file, onShare) {
  const [sha256, md5] = await Promise.all([createSHA256(), createMD5()]);
  for (let at = 0; at < file.size; at += PIECE) {
    const piece = new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
    sha256.update(piece);
    md5.update(piece);
    onShare(Math.min(1, (at + PIECE) / file.size));
  }
  return [
    { type: "sha256", value: sha256.digest("hex") },
    { type: "md5", value: md5.digest("hex") },
  ];
}
