/**
 * Imported before all else: takes away the worker's way to the origin's store of answers, from which a page that is kept
 * on the device is served. Code that a hostile picture ran here could otherwise change the page's next visit.
 */
/** @type {object | null} */
let owner = globalThis;
for (; owner; owner = Object.getPrototypeOf(owner)) Reflect.deleteProperty(owner, "caches");
