/** The ways out of the worker that `tests/e2e/exits.js` tries, by its names: words to show, and nothing that runs. */
export const EXITS = [
  ...[
    "fetch",
    "fetch-elsewhere",
    "fetch-keepalive",
    "XMLHttpRequest",
    "WebSocket",
    "EventSource",
    "WebTransport",
  ],
  ...["RTCPeerConnection", "sendBeacon", "Cache.add", "import", "import-again", "Worker", "blob-Worker"],
  ...["data-Worker", "eval", "Function", "FontFace"],
];
