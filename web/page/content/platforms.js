/**
 * Where pictures are reported on platforms: names and addresses, the same in every language. Each address was checked in
 * November 2026 against the platform's own pages and one other source (both named in `sources`); platforms
 * whose address could not be checked are left out and get the general guide.
 */

/**
 * @typedef {object} Platform
 * @property {string} name
 * @property {string} page where to report
 * @property {boolean} [account] `false` where the platform says that none is needed
 * @property {boolean} [us] whether the page is for notices under 47 U.S.C. 223a alone
 * @property {string[]} sources
 */

/** @satisfies {Record<string, Platform>} */
export const PLATFORMS = {
  instagram: {
    name: "Instagram",
    page: "https://www.facebook.com/safety/notwithoutmyconsent",
    sources: ["facebook.com/safety/notwithoutmyconsent", "cybercivilrights.org/online-removal"],
  },
  facebook: {
    name: "Facebook",
    page: "https://www.facebook.com/safety/notwithoutmyconsent",
    sources: ["facebook.com/safety/notwithoutmyconsent", "cybercivilrights.org/online-removal"],
  },
  tiktok: {
    name: "TikTok",
    page: "https://www.tiktok.com/legal/report/feedback",
    sources: [
      "support.tiktok.com: report sexual abuse (a web form)",
      "play.google.com: TikTok's own listing",
    ],
  },
  snapchat: {
    name: "Snapchat",
    page: "https://values.snap.com/safety/safety-reporting",
    account: false,
    sources: ["values.snap.com/safety/safety-reporting", "consentlawyers.com: Snapchat takedowns"],
  },
  x: {
    name: "X",
    page: "https://help.x.com/forms/safety-and-sensitive-content/take-it-down",
    account: false,
    us: true,
    sources: ["help.x.com/en/rules-and-policies/us-tida", "ledgerapp.app: take-it-down-act-takedown-notice"],
  },
  discord: {
    name: "Discord",
    page: "https://discord.com/report",
    account: false,
    sources: ["support.discord.com/hc/articles/38675715591831", "discord.com/safety/360044103651"],
  },
  reddit: {
    name: "Reddit",
    page: "https://www.reddit.com/report",
    sources: ["redditinc.com/policies/reddit-rules", "Reddit's own and other apps, which open this address"],
  },
  google: {
    name: "Google",
    page: "https://support.google.com/websearch/answer/6302812",
    account: false,
    sources: ["support.google.com/websearch/answer/6302812", "digitalforensics.com: get-nudes-off-internet"],
  },
  pornhub: {
    name: "Pornhub",
    page: "https://www.pornhub.com/content-removal",
    account: false,
    sources: ["Pornhub's terms of service", "public collections of reporting addresses"],
  },
};
