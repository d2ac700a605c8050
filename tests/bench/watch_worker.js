/** Notes when the sealed worker says what, without changing anything; runs before the page's own scripts. */
{
  const heard = /** @type {[string, number][]} */ ([]);
  const RealWorker = globalThis.Worker;
  globalThis.heard = heard;
  globalThis.firstHashed = new Promise((resolve) => {
    globalThis.tellHashed = resolve;
  });
  globalThis.Worker = class extends RealWorker {
    /** @param {ConstructorParameters<typeof Worker>} ways */
    constructor(...ways) {
      super(...ways);
      heard.push(["created", performance.now()]);
      this.addEventListener("message", ({ data }) => {
        heard.push([data.step ?? data.kind, performance.now()]);
        if (data.json) globalThis.tellHashed(data.json);
      });
    }
    /** @param {[any, any?]} message */
    postMessage(...message) {
      heard.push([`to-worker-${message[0].kind}`, performance.now()]);
      super.postMessage(...message);
    }
  };
}
