/** Which app's own browser shows the page. Links in messages open there, and not in the browser that the person knows. */

/** Names of apps, and how they show in the user agent. @type {[string, RegExp][]} */
const APPS = [
  ["Instagram", /\bInstagram\b/],
  ["Messenger", /\bFBAN\/Messenger|\bOrca-Android\b/],
  ["Facebook", /\bFB(?:AN|AV|_IAB)\b/],
  ["TikTok", /\b(?:musical_ly|BytedanceWebview|trill)\b/i],
  ["Snapchat", /\bSnapchat\b/],
  ["WeChat", /\bMicroMessenger\b/],
  ["LINE", /\bLine\/\d/],
  ["X", /\bTwitter(?:Android| for)\b/],
  ["Pinterest", /\bPinterest\b/],
];
/** A page that Android shows inside some app, and one that iOS does: only a browser of its own calls itself Safari there. */
const SOME_APP = [/; wv\)/, /\((?:iPhone|iPad|iPod)\b(?!.*\bSafari\/)/];

/**
 * @param {string} userAgent
 * @returns {string | null} the app's name, empty if it does not say, null in a browser of its own
 */
export function inAppBrowser(userAgent) {
  const named = APPS.find(([, pattern]) => pattern.test(userAgent));
  if (named) return named[0];
  return SOME_APP.some((pattern) => pattern.test(userAgent)) ? "" : null;
}
