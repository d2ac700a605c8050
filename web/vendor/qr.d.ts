/** `vendor/qr.js` is `lean-qr/nano` as its package ships it; the build puts it there. */
export { generate } from "lean-qr/nano";
