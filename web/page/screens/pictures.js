import { drawing, h } from "../ui/dom.js";
import {
  actions,
  button,
  errorLine,
  group,
  heading,
  lead,
  live,
  more,
  note,
  paragraph,
} from "../ui/parts.js";
import { tickField } from "../ui/fields.js";
import { inAppNote } from "./shared/in-app-note.js";
import { readiness } from "./shared/readiness.js";
import { say, sayList, saySize } from "../language/words.js";

/** More pictures would keep a phone busy for over a quarter of an hour. */
const MAX_PICTURES = 200;
/** What can be hashed. A phone that is not asked for its own format hands over a copy, whose exact hashes differ. */
const ACCEPTED =
  "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff,image/heic,image/heif,image/avif,image/jxl," +
  "video/mp4,video/quicktime,video/webm,.heic,.heif,.avif,.jxl,.mp4,.mov,.m4v,.webm";
/** What the person is told of them. */
const FORMAT_NAMES = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF, JPEG XL, MP4, MOV, WebM".split(", ");

/**
 * Choosing pictures: by button, by dropping, by pasting. No previews and no names.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function pictures(app) {
  const { session } = app;
  const { zone, wrong, told, list, next } = chooser(app);
  return [
    session.adding ? heading(say("pictures.title-add")) : heading(say("pictures.title"), 3),
    lead("pictures.lead"),
    ...inAppNote(),
    ...forAnother(session.about),
    group(zone, wrong, told),
    aiField(app),
    readiness(app),
    actions(
      next,
      button("pictures.nofile", () => app.go("nofile")),
    ),
    list,
    more(
      "pictures.files",
      paragraph("pictures.private"),
      paragraph("pictures.kinds", { kinds: sayList(FORMAT_NAMES) }),
      paragraph("pictures.videos"),
    ),
  ];
}

/**
 * What someone should know who chooses pictures of somebody else.
 *
 * @param {import("../session/session.js").About | null} about
 */
function forAnother(about) {
  if (about === "child") return [note("calm", paragraph("pictures.child"))];
  return about === "helper" ? [note("calm", paragraph("pictures.helper"))] : [];
}

/**
 * The elements with which pictures are chosen and removed: the zone for files, an error, what happened, the list, and the
 * button that goes on.
 *
 * @param {import("./shared/context.d.ts").ScreenContext} app
 */
function chooser(app) {
  const { session, leaving } = app;
  const input = filePicker(add);
  const choose = button("pictures.choose", () => input.click());
  const told = live();
  const wrong = errorLine("pictures-fault");
  const { list, showRows, focusRow } = chosenList(session, remove);
  const next = button("pictures.continue", go, "primary");
  const drop = h("p", { class: "mouse hint" }, say("pictures.drop"));
  const zone = h("div", { class: "zone" }, drawing("picture"), choose, input, drop);

  /** @param {FileList | undefined} files */
  function add(files) {
    if (!files?.length) return;
    const { same, over } = session.add([...files], MAX_PICTURES);
    wrong.textContent = "";
    choose.removeAttribute("aria-describedby");
    show();
    app.tell({ type: "list-changed", count: session.pictures.length });
    tell(
      told,
      say("pictures.count", { count: session.pictures.length }),
      same && say("pictures.same", { count: same }),
      over && say("pictures.most", { most: MAX_PICTURES }),
    );
  }

  /** @param {number} at */
  function remove(at) {
    const picture = session.pictures[at];
    if (picture) session.remove(picture);
    show();
    app.tell({ type: "list-changed", count: session.pictures.length });
    tell(told, say("pictures.count", { count: session.pictures.length }));
    if (!focusRow(at)) choose.focus();
  }

  function show() {
    const some = session.pictures.length > 0;
    showRows();
    choose.textContent = say(some ? "pictures.more" : "pictures.choose");
    zone.classList.toggle("some", some);
    choose.className = some ? "button second" : "button primary";
    next.className = some ? "button primary" : "button second";
  }

  function go() {
    if (session.pictures.length > 0) return app.tell({ type: "hash" });
    wrong.textContent = say("pictures.none");
    choose.setAttribute("aria-describedby", wrong.id);
    choose.focus();
  }

  takeFiles(zone, add, leaving);
  show();
  return { zone, wrong, told, list, next };
}

/**
 * @param {HTMLElement} told
 * @param {...(string | number)} sentences what happened; 0 for nothing
 */
function tell(told, ...sentences) {
  told.replaceChildren(...sentences.filter(Boolean).map((sentence) => h("span", {}, `${sentence} `)));
}

/**
 * The list of the chosen pictures. `focusRow` goes to the button of the picture at a position, or else to the last one;
 * false if the list is empty.
 *
 * @param {import("../session/session.js").Session} session
 * @param {(at: number) => void} remove
 */
function chosenList(session, remove) {
  const list = h("ul", { class: "files", "aria-label": say("pictures.list") });

  function showRows() {
    list.hidden = session.pictures.length === 0;
    list.replaceChildren(
      ...session.pictures.map((picture, at) => row(picture.file.size, at + 1, () => remove(at))),
    );
  }

  /** @param {number} at */
  function focusRow(at) {
    const buttons = list.querySelectorAll("button");
    const button = buttons[Math.min(at, buttons.length - 1)];
    button?.focus();
    return button !== undefined;
  }

  return { list, showRows, focusRow };
}

/**
 * The browser's own dialogue for files.
 *
 * @param {(files: FileList | undefined) => void} add
 */
function filePicker(add) {
  const input = h("input", {
    type: "file",
    accept: ACCEPTED,
    multiple: true,
    class: "unseen",
    tabindex: -1,
    hidden: true,
    onchange: () => {
      add(input.files ?? undefined);
      input.value = "";
    },
  });
  return input;
}

/** @param {import("./shared/context.d.ts").ScreenContext} app */
function aiField({ session }) {
  return tickField("ai", "pictures.ai", session.ai, (checked) => {
    session.ai = checked;
    session.outgoing = null;
  }).element;
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
 * Takes files that are dropped anywhere on the page, or pasted.
 *
 * @param {HTMLElement} zone is highlighted while something is dragged
 * @param {(files: FileList | undefined) => void} add
 * @param {AbortSignal} signal
 */
function takeFiles(zone, add, signal) {
  /** @param {boolean} over */
  const highlight = (over) => zone.classList.toggle("over", over);
  addEventListener("dragover", (event) => (event.preventDefault(), highlight(true)), { signal });
  addEventListener("dragleave", (event) => event.relatedTarget === null && highlight(false), { signal });
  addEventListener(
    "drop",
    (event) => (event.preventDefault(), highlight(false), add(event.dataTransfer?.files)),
    { signal },
  );
  addEventListener("paste", (event) => add(event.clipboardData?.files), { signal });
}
