/**
 * Served by `build.py dev` alone: shows the next build as soon as it is there. New styles take the place of the old ones
 * and leave the page as it is; for anything else the page is loaded again.
 */
const BUILD = "/dev-build.json";
const POLL_MILLISECONDS = 250;

/** @returns {Promise<{ styles: string, rest: string } | undefined>} digests of the build; undefined without a server */
async function build() {
  try {
    const response = await fetch(BUILD, { cache: "no-store" });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/** Loads the new sheet before the old one goes, so that the page is never without styles. */
function replaceStyles() {
  const old = document.querySelector('link[rel="stylesheet"]');
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = "/styles.css";
  sheet.addEventListener("load", () => old?.remove());
  document.head.append(sheet);
}

let shown = await build();
setInterval(async () => {
  const next = await build();
  if (!next) return;
  const before = shown;
  shown = next;
  if (!before) return;
  if (before.rest !== next.rest) location.reload();
  else if (before.styles !== next.styles) replaceStyles();
}, POLL_MILLISECONDS);
