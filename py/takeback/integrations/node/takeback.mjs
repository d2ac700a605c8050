/**
 * Checks uploads in Node: a middleware for Express with multer, and a hook for @tus/server. Who is asked is set by the
 * environment: a running sidecar (`takeback gate serve --follow --report`), for which this file is enough, or a look-up
 * service, for which it needs sharp and the other files of its folder. It needs Node 20.
 *
 * TAKEBACK_SIDECAR is the sidecar's address (http://127.0.0.1:8080), TAKEBACK_GATE_TOKEN its token if it has one.
 * TAKEBACK_LOOKUP and TAKEBACK_LOOKUP_KEY are the look-up service's address and the site's key.
 */
import { openAsBlob } from "node:fs";
import { unlink } from "node:fs/promises";

const { TAKEBACK_SIDECAR, TAKEBACK_GATE_TOKEN: TOKEN, TAKEBACK_LOOKUP, TAKEBACK_LOOKUP_KEY } = process.env;
const SIDECAR = TAKEBACK_SIDECAR || "http://127.0.0.1:8080";
const SECONDS = 120; // a video may take a minute of processor time, and wait for others
const BLOCKED = "This picture cannot be posted here.";
const AWAY = "Pictures cannot be posted at the moment. Please try again in a few minutes.";

if (TAKEBACK_SIDECAR && (TAKEBACK_LOOKUP || TAKEBACK_LOOKUP_KEY))
  throw new Error("set TAKEBACK_SIDECAR, or TAKEBACK_LOOKUP with TAKEBACK_LOOKUP_KEY, but not both");
if (!TAKEBACK_LOOKUP !== !TAKEBACK_LOOKUP_KEY)
  throw new Error("set both TAKEBACK_LOOKUP and TAKEBACK_LOOKUP_KEY, or neither");
const gate = TAKEBACK_LOOKUP ? (await import("./takeback-lookup.mjs")).RemoteGate.open() : undefined;

/**
 * Asks about a file; rejects if nobody can decide.
 * @param {Blob | Buffer | import("node:stream").Readable} file
 * @param {string} [type] the media type that it came with
 * @returns {Promise<"allow" | "review" | "block">}
 */
export async function decide(file, type) {
  if (gate) return (await gate.check(file, type ? { type } : {})).action;
  // A form's type would have the sidecar look for a form in the file.
  const harmless = type && !/^multipart\//i.test(type) ? type : "application/octet-stream";
  const answer = await fetch(`${SIDECAR}/v1/check`, {
    method: "POST",
    body: file,
    duplex: "half", // for a stream
    headers: { "Content-Type": harmless, ...(TOKEN && { Authorization: `Bearer ${TOKEN}` }) },
    signal: AbortSignal.timeout(SECONDS * 1000),
  });
  if ([400, 413, 422].includes(answer.status)) return "review"; // whoever pads a file must not get it past
  if (!answer.ok) throw new Error(`the sidecar answers ${answer.status}`);
  return (await answer.json()).decision;
}

/**
 * A middleware to stand behind multer's: refuses the request, and removes its files, if one of them is listed.
 * @param {{ review?: "pass" | "hold", whenAway?: "pass" | "refuse" }} [options] what asks for a review goes on, with
 *   `file.takeback === "review"`, or is refused; what cannot be checked is refused with 503, or goes on ("unchecked")
 */
export function checkFiles({ review = "pass", whenAway = "refuse" } = {}) {
  return async (request, response, next) => {
    const listed = request.files ?? (request.file ? [request.file] : []);
    const files = Array.isArray(listed) ? listed : Object.values(listed).flat();
    const marks = await Promise.all(files.map(markOf));
    files.forEach((file, place) => {
      file.takeback = marks[place];
    });
    if (marks.includes("block")) return refuse(422, "blocked", BLOCKED);
    if (marks.includes("unchecked") && whenAway === "refuse") return refuse(503, "cannot-check", AWAY);
    if (marks.includes("review") && review === "hold") return refuse(422, "held", BLOCKED);
    return next();

    async function refuse(status, code, error) {
      await Promise.all(files.filter((file) => file.path).map((file) => unlink(file.path).catch(() => {})));
      if (status === 503) response.set("Retry-After", "30");
      response.status(status).json({ error, code });
    }
  };
}

/**
 * What is decided of one of multer's files: in memory (`buffer`) or on disk (`path`).
 * @param {any} file
 */
async function markOf(file) {
  if (file.size === 0) return "allow"; // a sidecar asks for a file
  try {
    return await decide(file.buffer ?? (await openAsBlob(file.path)), file.mimetype);
  } catch (error) {
    return unchecked(error);
  }
}

/**
 * Logs why an upload could not be checked. If too many are nearly alike, somebody may be trying to get one past.
 * @param {any} error
 */
function unchecked(error) {
  console.error(`takeback: an upload could not be checked: ${error.message}`);
  return error.code === "too-alike" ? "review" : "unchecked";
}

/**
 * `onUploadFinish` for @tus/server 2: refuses a listed upload, and has `store` remove it.
 * @param {import("@tus/server").DataStore} store the server's data store, such as a FileStore
 * @param {{ review?: "pass" | "hold", whenAway?: "pass" | "refuse" }} [options] as for `checkFiles`
 */
export function onUploadFinish(store, { review = "pass", whenAway = "refuse" } = {}) {
  return async (_request, upload) => {
    let mark;
    let stored;
    try {
      stored = upload.size === 0 ? null : await store.read(upload.id);
      stored?.on("error", () => {}); // a stream that is not read any more must not end the process
      mark = stored ? await decide(stored, upload.metadata?.filetype) : "allow";
    } catch (error) {
      mark = unchecked(error);
    } finally {
      stored?.destroy();
    }
    const refused = { block: true, unchecked: whenAway === "refuse", review: review === "hold" }[mark];
    if (!refused) return {};
    await store.remove(upload.id).catch((error) => console.error(`takeback: ${error.message}`));
    // The upload is gone also if the gate is away: the client begins it again.
    if (mark === "unchecked") throw { status_code: 503, body: AWAY };
    throw { status_code: 422, body: BLOCKED };
  };
}
