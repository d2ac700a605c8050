/**
 * Imported first: removes `caches`, from which the service worker serves a page that is kept on the device. Otherwise code
 * that a hostile picture runs in this worker could change the page of the next visit.
 */
/** @type {object | null} */
let owner = globalThis;
for (; owner; owner = Object.getPrototypeOf(owner)) Reflect.deleteProperty(owner, "caches");
