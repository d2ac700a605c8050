/** Uploads a file by tus-js-client in chunks, and prints `stored`, or the status with which it was refused. */
import { readFileSync } from "node:fs";
import { Upload } from "tus-js-client";

const [endpoint, path, chunk] = process.argv.slice(2);
const upload = new Upload(readFileSync(path), {
  endpoint,
  chunkSize: Number(chunk),
  retryDelays: null,
  metadata: { filetype: "image/jpeg" },
  onSuccess: () => console.log("stored"),
  onError: (error) => console.log(error.originalResponse?.getStatus() ?? String(error)),
});
upload.start();
