// node compile_runtime.mjs PYODIDE_FOLDER SCRIPT SOURCE.zip TARGET.zip PREFIX [SOURCE TARGET PREFIX ...]
// Compiles Python with Pyodide's own CPython; the work is done by SCRIPT (compile_runtime.py).
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, script, ...jobs] = process.argv.slice(2);
try {
  await run();
} catch (fault) {
  process.stderr.write(`${fault.message}\n`); // not the whole of Pyodide's source, as Node would
  process.exitCode = 1;
}

async function run() {
  const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")).href);
  // The seed is fixed because the order of a set in a constant depends on it.
  const pyodide = await loadPyodide({ indexURL: folder, env: { PYTHONHASHSEED: "0" } });
  pyodide.FS.mkdir("/work");
  pyodide.FS.writeFile("/work/compile_runtime.py", fs.readFileSync(script));
  pyodide.pyimport("sys").path.append("/work");
  const compiler = pyodide.pyimport("compile_runtime");
  for (let i = 0; i < jobs.length; i += 3) {
    pyodide.FS.writeFile("/work/source.zip", fs.readFileSync(jobs[i]));
    compiler.compile_archive("/work/source.zip", "/work/target.zip", jobs[i + 2]);
    fs.writeFileSync(jobs[i + 1], pyodide.FS.readFile("/work/target.zip"));
  }
}
