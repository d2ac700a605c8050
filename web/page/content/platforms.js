/**
 * Where pictures are reported on platforms: names and addresses, the same in every language. `sources.json` has two sources and the
 * day of the check for each. Platforms without them are left out and get the general guide.
 */

/**
 * @typedef {object} Platform
 * @property {string} name
 * @property {string} [page] where to report
 * @property {string} [minors] where to report a picture of someone who was under 18, instead of `page`
 * @property {string} [mail] the address that takes reports of pictures of people under 18
 * @property {boolean} [app] whether there is no such page, and it is reported in the app
 * @property {boolean} [account] `false` where the platform says that none is needed
 * @property {boolean} [us] whether the page is for notices under 47 U.S.C. 223a alone
 */

/** @satisfies {Record<string, Platform>} */
export const PLATFORMS = {
  instagram: {
    name: "Instagram",
    page: "https://about.meta.com/actions/safety/topics/bullying-harassment/stop-sextortion",
  },
  facebook: {
    name: "Facebook",
    page: "https://about.meta.com/actions/safety/topics/bullying-harassment/stop-sextortion",
  },
  tiktok: {
    name: "TikTok",
    page: "https://support.tiktok.com/en/safety-hc/report-a-problem/report-sexual-abuse",
  },
  snapchat: { name: "Snapchat", page: "https://values.snap.com/safety/safety-reporting", account: false },
  x: {
    name: "X",
    page: "https://help.x.com/forms/safety-and-sensitive-content/take-it-down",
    account: false,
    us: true,
  },
  discord: { name: "Discord", page: "https://discord.com/report", account: false },
  reddit: { name: "Reddit", page: "https://www.reddit.com/report" },
  google: {
    name: "Google",
    page: "https://support.google.com/websearch/answer/6302812",
    minors: "https://support.google.com/websearch/answer/15300563",
    account: false,
  },
  bing: { name: "Bing", page: "https://www.microsoft.com/en-us/concern/revengeporn" },
  youtube: { name: "YouTube", minors: "https://support.google.com/youtube/answer/2801999" },
  pinterest: {
    name: "Pinterest",
    minors: "https://help.pinterest.com/en/article/combating-online-child-exploitation",
  },
  telegram: { name: "Telegram", mail: "stopCA@telegram.org" },
  whatsapp: { name: "WhatsApp", app: true },
  roblox: { name: "Roblox", page: "https://en.help.roblox.com/hc/en-us/articles/203312410" },
  yubo: {
    name: "Yubo",
    page: "https://support.yubo.live/hc/en-us/articles/360013119560-How-do-I-report-a-user",
  },
  character: { name: "Character.AI", app: true },
  bumble: { name: "Bumble", app: true },
  onlyfans: { name: "OnlyFans", page: "https://blog.onlyfans.com/reporting-on-onlyfans/" },
  pornhub: { name: "Pornhub", page: "https://www.pornhub.com/content-removal", account: false },
};

/**
 * The page where a picture is reported, if there is one.
 *
 * @param {Platform} platform
 * @param {boolean} adult whether the person was 18 or over in the picture
 */
export function reportPage({ page, minors }, adult) {
  return adult ? page : (minors ?? page);
}
