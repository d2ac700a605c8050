/**
 * What the page and the sealed worker say to each other. The page's door (`web/page/engine/door.js`) speaks the same.
 *
 * @typedef {object} RuntimeFiles What the worker needs, handed over by the page.
 * @property {WebAssembly.Module} wasm CPython.
 * @property {ArrayBuffer} python The standard library: a zip that Python imports from.
 * @property {ArrayBuffer} packages Pillow and Takeback: a zip that is unpacked into the worker's memory.
 * @property {string} lock Pyodide's lock of those packages, as JSON.
 *
 * @typedef {{ kind: "start", files: RuntimeFiles }} StartMessage
 * @typedef {{ kind: "hash", id: number, file: Blob }} HashMessage One at a time.
 * @typedef {{ kind: "later", name: string, content?: ArrayBuffer }} LaterMessage What was needed; empty if it cannot be had.
 * @typedef {{ kind: "phash", packages: ArrayBuffer }} PhashMessage numpy and imagehash: a zip, unpacked like the others.
 * @typedef {StartMessage | HashMessage | LaterMessage | PhashMessage} ToWorker
 *
 * @typedef {{ kind: "ready" }} ReadyMessage
 * @typedef {{ kind: "step", id: number, step: string }} StepMessage
 * @typedef {{ kind: "needs", name: string }} NeedsMessage A file of `/runtime` that this picture cannot do without.
 * @typedef {{ kind: "missing", id: number }} MissingMessage The page could not bring what this picture needs.
 * @typedef {{ kind: "result", id: number, json: string, moving?: boolean }} ResultMessage JSON of hashes or of an error,
 *   never bytes; `moving`: the worker for videos may find frames in it as well.
 * @typedef {{ kind: "rest", id: number, json: string }} RestMessage JSON of the signals that came later: phash.
 * @typedef {{ kind: "unreadable", id: number }} UnreadableMessage The browser could not read the file.
 * @typedef {{ kind: "video", id: number }} VideoMessage It is a video, which the worker for videos hashes.
 * @typedef {{ kind: "crashed", text: string }} CrashedMessage Python is not to be trusted any more.
 * @typedef {ReadyMessage | StepMessage | NeedsMessage | MissingMessage | ResultMessage | RestMessage
 *   | UnreadableMessage | VideoMessage | CrashedMessage} FromWorker
 */

export {};
