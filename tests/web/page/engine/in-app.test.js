import assert from "node:assert/strict";
import { test } from "node:test";
import { inAppBrowser } from "../../../../web/page/engine/in-app.js";

const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
const ANDROID =
  "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1A.240505.005; wv) AppleWebKit/537.36 (KHTML, like Gecko)";
const CHROME = "Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36";

test("browsers inside apps are told by what they call themselves", () => {
  const inside = [
    ["Instagram", `${IPHONE} Mobile/15E148 Instagram 334.0.4.32.98 (iPhone15,2; iOS 18_5; en_US)`],
    ["Instagram", `${ANDROID} ${CHROME} Instagram 334.0.0.42.95 Android (34/14; 420dpi; 1080x2400)`],
    ["Facebook", `${IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/467.0.0.38.109;FBBV/607891211;FBDV/iPhone15,2]`],
    ["Facebook", `${ANDROID} ${CHROME} [FB_IAB/FB4A;FBAV/466.0.0.55.85;]`],
    ["Messenger", `${IPHONE} Mobile/15E148 [FBAN/MessengerForiOS;FBAV/459.0.0.30.108]`],
    ["Messenger", `${ANDROID} ${CHROME} [FB_IAB/Orca-Android;FBAV/459.0.0.51.108;]`],
    ["TikTok", `${IPHONE} Mobile/15E148 musical_ly_35.1.0 BytedanceWebview/d8a21c6`],
    ["TikTok", `${ANDROID} ${CHROME} trill_350103 BytedanceWebview/d8a21c6`],
    [
      "Snapchat",
      `${IPHONE} Version/18.5 Mobile/15E148 Safari/604.1 Snapchat/12.93.0.35 (like Safari/8618.2.12)`,
    ],
    ["WeChat", `${ANDROID} ${CHROME} MMWEBID/1234 MicroMessenger/8.0.49`],
    ["LINE", `${IPHONE} Mobile/15E148 Safari Line/14.10.0`],
    ["X", `${IPHONE} Mobile/15E148 Twitter for iPhone/10.46`],
    ["Pinterest", `${ANDROID} ${CHROME} [Pinterest/Android]`],
    ["", `${ANDROID} ${CHROME}`],
    ["", `${IPHONE} Mobile/15E148`],
  ];
  for (const [app, userAgent] of inside) assert.equal(inAppBrowser(userAgent), app, userAgent);
});

test("browsers of their own are none of them", () => {
  const own = [
    `${IPHONE} Version/18.5 Mobile/15E148 Safari/604.1`,
    `${IPHONE} CriOS/126.0.6478.153 Mobile/15E148 Safari/604.1`,
    `${IPHONE} FxiOS/127.0 Mobile/15E148 Safari/605.1.15`,
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0",
    "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
  ];
  for (const userAgent of own) assert.equal(inAppBrowser(userAgent), null, userAgent);
});
