/** A note for those who opened the page from a link inside an app: it may see what they do, and often cannot choose files. */
import { inAppBrowser } from "../../engine/in-app.js";
import { say } from "../../language/words.js";
import { h, write } from "../../ui/dom.js";
import { button, live, note, paragraph } from "../../ui/parts.js";
import { copy } from "../../ui/save.js";

/** @returns {Node[]} the note, or nothing in a browser of its own */
export function inAppNote() {
  const app = inAppBrowser(navigator.userAgent);
  if (app === null) return [];
  const told = live();
  const copyAddress = async () =>
    write(told, say((await copy(location.href)) ? "platform.copied" : "platform.copy-failed"));
  return [
    note(
      "warning",
      h("p", { class: "lead" }, app ? say("inapp.title", { app }) : say("inapp.title-other")),
      paragraph("inapp.why"),
      paragraph("inapp.how"),
      h("p", { dir: "ltr", translate: "no" }, h("code", {}, location.host)),
      h(
        "div",
        {},
        button("inapp.copy", () => void copyAddress()),
      ),
      told,
    ),
  ];
}
