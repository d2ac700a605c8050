/** Names of the ways out of the sealed worker that `tests/e2e/exits.js` tries. They are shown; nothing here runs them. */
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
