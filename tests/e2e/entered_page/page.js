/** Hashes files as the product's page does, one after the other, and returns the functions that CPython entered. */
async function enteredBy(paths) {
  const load = async (name) => (await fetch(`/runtime/${name}`)).arrayBuffer();
  const worker = new Worker("/worker.js", { type: "module" });
  const fault = new Promise((_, reject) => {
    worker.onerror = (event) => reject(new Error(event.message));
  });
  const next = (...kinds) => {
    const answered = new Promise((resolve) => {
      worker.onmessage = ({ data }) => {
        if (data.kind === "needs")
          load(data.name).then((content) => worker.postMessage({ kind: "later", name: data.name, content }));
        if (kinds.includes(data.kind) || data.kind === "crashed") resolve(data);
      };
    });
    return Promise.race([answered, fault]);
  };
  const wasm = await WebAssembly.compile(await load("pyodide.asm.wasm"));
  const [python, packages] = await Promise.all(["python.zip", "packages.zip"].map(load));
  const lock = new TextDecoder().decode(await load("pyodide-lock.json"));
  const files = { wasm, python, packages, lock, second: new ArrayBuffer(0) };
  worker.postMessage({ kind: "start", files });
  await next("ready");
  let hashed = 0;
  for (const [id, path] of paths.entries()) {
    worker.postMessage({ kind: "hash", id, file: await (await fetch(path)).blob() });
    hashed += (await next("result", "video", "unreadable", "missing")).kind === "result" ? 1 : 0;
  }
  worker.postMessage({ kind: "phash", packages: await load("phash.zip") });
  while (hashed-- > 0) await next("rest");
  worker.postMessage({ kind: "entered" });
  const { functions } = await next("entered");
  worker.terminate();
  return functions;
}
