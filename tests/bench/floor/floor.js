/** The least that a page can do for a first hash: the browser decodes, a canvas gives the pixels, our kernel hashes. */
import { Kernel } from "../../../web/worker/kernel.js";

const input = /** @type {HTMLInputElement} */ (document.querySelector("input"));
const chosen = new Promise((resolve) => {
  const look = () => input.files?.[0] && resolve(input.files[0]);
  input.addEventListener("change", look);
  look(); // it may have been chosen before this script was there
});

const kernel = await Kernel.create();
const bitmap = await createImageBitmap(await chosen);
const { width, height } = bitmap;
const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
canvas?.drawImage(bitmap, 0, 0);
const pixels = canvas?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray();
kernel.room(pixels.length).set(pixels);
const value = kernel.hash({ width, height, channels: 4, offset: 0, stride: 4 * width }).hash;
Object.assign(globalThis, { stockResult: { at: performance.now(), value } });
