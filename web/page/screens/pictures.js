import { drawing, h } from "../ui/dom.js";
import { actions, button, heading, lead, live, note, paragraph } from "../ui/parts.js";
import { tickField } from "../ui/fields.js";
import { readiness } from "./shared/readiness.js";
import { say, sayList, saySize } from "../language/words.js";

/** Pictures at a time: more than that and a phone is busy for a quarter of an hour. */
const MOST = 200;
/** The kinds that can be read. A phone that is not asked for its own kind hands over a copy with other exact hashes. */
const KINDS =
  "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff,image/heic,image/heif,image/avif,image/jxl," +
  "video/mp4,video/quicktime,video/webm,.heic,.heif,.avif,.jxl,.mp4,.mov,.m4v,.webm";
const NAMES = ["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "HEIC", "AVIF", "JPEG XL", "MP4", "MOV", "WebM"];

/**
 * Choosing pictures: by button, by dropping, by pasting. No previews and no names.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function pictures(app) {
  const { session, leaving } = app;
  const input = h("input", {
    type: "file",
    accept: KINDS,
    multiple: true,
    class: "unseen",
    tabindex: -1,
    hidden: true,
  });
  const choose = button("pictures.choose", () => input.click());
  const told = live();
  const wrong = h("p", { class: "fault", id: "pictures-fault", role: "alert" });
  const list = h("ul", { class: "files", "aria-label": say("pictures.list") });
  const next = button("pictures.continue", go, "primary");
  const zone = h("div", { class: "zone" }, drawing("picture"), choose, input, hint());

  /** @param {FileList | undefined} files */
  function add(files) {
    if (!files?.length) return;
    const { same, over } = session.add([...files], MOST);
    wrong.textContent = "";
    choose.removeAttribute("aria-describedby");
    show();
    tell(
      say("pictures.count", { count: session.pictures.length }),
      same && say("pictures.same", { count: same }),
      over && say("pictures.most", { most: MOST }),
    );
  }

  /** @param {...(string | number)} sentences */
  function tell(...sentences) {
    told.replaceChildren(...sentences.filter(Boolean).map((sentence) => h("span", {}, `${sentence} `)));
  }

  /** @param {number} at */
  function remove(at) {
    const picture = session.pictures[at];
    if (picture) session.remove(picture);
    show();
    tell(say("pictures.count", { count: session.pictures.length }));
    const left = list.querySelectorAll("button");
    (left[Math.min(at, left.length - 1)] ?? choose).focus();
  }

  function show() {
    const some = session.pictures.length > 0;
    list.hidden = !some;
    list.replaceChildren(
      ...session.pictures.map((picture, at) => row(picture.file.size, at + 1, () => remove(at))),
    );
    choose.textContent = say(some ? "pictures.more" : "pictures.choose");
    zone.classList.toggle("some", some);
    choose.className = some ? "button second" : "button primary";
    next.className = some ? "button primary" : "button second";
  }

  function go() {
    if (session.pictures.length > 0) return app.go("hashing");
    wrong.textContent = say("pictures.none");
    choose.setAttribute("aria-describedby", wrong.id);
    choose.focus();
  }

  input.addEventListener("change", () => {
    add(input.files ?? undefined);
    input.value = "";
  });
  receive(zone, add, leaving);
  show();
  return [
    session.adding ? heading(say("pictures.title-add")) : heading(say("pictures.title"), 3),
    lead("pictures.lead"),
    ...(session.about === "child" ? [note("calm", paragraph("pictures.child"))] : []),
    zone,
    wrong,
    told,
    list,
    h("p", { class: "hint" }, say("pictures.videos")),
    h("p", { class: "hint" }, say("pictures.private")),
    tickField("ai", "pictures.ai", session.ai, (checked) => {
      session.ai = checked;
      session.outgoing = null;
    }).element,
    h("p", { class: "hint" }, say("pictures.ai-more")),
    readiness(app),
    actions(
      next,
      button("pictures.nofile", () => app.go("nofile")),
      button("frame.back", () => app.go(session.adding ? "case" : "where"), "plain"),
    ),
  ];
}

function hint() {
  return h(
    "div",
    { class: "hint" },
    h("p", { class: "mouse" }, say("pictures.drop")),
    h("p", {}, say("pictures.kinds", { kinds: sayList(NAMES) })),
  );
}

/**
 * @param {number} size in bytes
 * @param {number} number
 * @param {() => void} remove
 */
function row(size, number, remove) {
  return h(
    "li",
    {},
    drawing("picture"),
    h("span", { class: "name" }, say("pictures.item", { number })),
    h("span", { class: "size" }, saySize(size)),
    h(
      "button",
      {
        type: "button",
        class: "button plain",
        onclick: remove,
        "aria-label": say("pictures.remove-label", { number }),
      },
      say("pictures.remove"),
    ),
  );
}

/**
 * Takes what is dropped anywhere on the page, or pasted.
 *
 * @param {HTMLElement} zone lights up
 * @param {(files: FileList | undefined) => void} add
 * @param {AbortSignal} signal
 */
function receive(zone, add, signal) {
  /** @param {boolean} over */
  const light = (over) => zone.classList.toggle("over", over);
  addEventListener("dragover", (event) => (event.preventDefault(), light(true)), { signal });
  addEventListener("dragleave", (event) => event.relatedTarget === null && light(false), { signal });
  addEventListener(
    "drop",
    (event) => (event.preventDefault(), light(false), add(event.dataTransfer?.files)),
    { signal },
  );
  addEventListener("paste", (event) => add(event.clipboardData?.files), { signal });
}
