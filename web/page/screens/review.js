import { h } from "../ui/dom.js";
import { actions, button, code, group, heading, more, paragraph } from "../ui/parts.js";
import { platforms } from "./shared/platforms.js";
import { CASES } from "../registry/client.js";
import { say } from "../language/words.js";

/**
 * The exact message, before it leaves the device.
 *
 * @type {import("./shared/context.d.ts").Screen}
 */
export function review(app) {
  const { session } = app;
  const { messages, number } = session.prepare();
  const lines = messages.map(({ headers }, at) => {
    const path = at === 0 && !number ? CASES : `${CASES}/${number ?? "…"}/pictures`;
    return [`POST ${path}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join(
      "\n",
    );
  });
  return [
    heading(say("review.title"), session.adding ? undefined : 5),
    h("p", { class: "lead" }, say("review.lead", { count: session.ready.length })),
    group(
      paragraph("review.facts"),
      session.about === "then" && paragraph("review.was"),
      session.ai && paragraph("review.ai"),
    ),
    platforms(app),
    group(paragraph("review.limits"), paragraph(session.adding ? "review.add" : "review.after")),
    actions(button("review.send", () => app.tell({ type: "send" }), "primary")),
    more(
      "review.see",
      ...(messages.length > 1 ? [paragraph("review.parts", { count: messages.length })] : []),
      paragraph("review.body"),
      code(say("review.body"), messages.map(({ body }) => body).join("\n")),
      paragraph("review.headers"),
      code(say("review.headers"), lines.join("\n\n")),
      ...(session.adding ? [] : [paragraph("review.work")]),
      paragraph("review.network"),
    ),
    more("review.why", paragraph("review.why-more"), paragraph("review.why-limit")),
    more("faq.own", paragraph("review.self")),
  ];
}
