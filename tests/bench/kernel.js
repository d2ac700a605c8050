/** Times the kernel alone, on a luma plane of the size it is told, and says the milliseconds of every run. */
import { Kernel } from "../../web/worker/kernel.js";

const RUNS = 15;

onmessage = async ({ data: { width, height } }) => {
  const kernel = await Kernel.create();
  const plane = new Uint8Array(width * height);
  for (let at = 0; at < plane.length; at += 1) plane[at] = (at * 2_654_435_761) >>> 24;
  const times = [];
  for (let run = 0; run < RUNS; run += 1) {
    kernel.room(plane.length).set(plane);
    const start = performance.now();
    kernel.hash({ width, height, channels: 1, offset: 0, stride: width });
    times.push(performance.now() - start);
  }
  postMessage(times);
};
