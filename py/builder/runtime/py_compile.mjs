// node py_compile.mjs PYODIDE_FOLDER SITE_PACKAGES BUILDER lean|lines WORK_FOLDER ARCHIVE [ARCHIVE ...]
// Runs `pyodide py-compile`, the command of the pyodide-build in SITE_PACKAGES, with Pyodide's own CPython. It replaces
// each archive in WORK_FOLDER by one with bytecode, whose members are not compressed. With `lean`, `lean.py` of the
// package `builder` in the folder BUILDER then takes the line numbers out.
import path from "node:path";
import { pathToFileURL } from "node:url";

const ENVIRONMENT = {
  SOURCE_DATE_EPOCH: "315532800", // 1980: bytecode has a hash of its source, and members need no time
  PYTHONHASHSEED: "0", // the order of a set in a constant depends on it
  PYTHONDONTWRITEBYTECODE: "1", // SITE_PACKAGES belongs to another interpreter
};
// As `-OO`: no asserts and no docstrings, which a worker never shows.
const OPTIONS = ["-OO"];

const [folder, packages, builder, kind, work, ...archives] = process.argv.slice(2);
try {
  await run();
} catch (fault) {
  process.stderr.write(`${fault.message}\n`); // Node would print all of Pyodide's minified source
  process.exitCode = 1;
}

async function run() {
  const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")).href);
  const pyodide = await loadPyodide({ indexURL: folder, args: OPTIONS, env: ENVIRONMENT });
  pyodide.mountNodeFS("/packages", packages);
  pyodide.mountNodeFS("/work", work);
  pyodide.mountNodeFS("/builder", builder);
  const { path: searched } = pyodide.pyimport("sys");
  searched.append("/packages");
  searched.append("/builder");
  const { strip_archive: strip } = pyodide.pyimport("builder.runtime.lean");
  const { main } = pyodide.pyimport("pyodide_build.cli.py_compile");
  for (const archive of archives) {
    const options = ["--silent", "--compression-level", "0", `/work/${archive}`];
    main.callKwargs(pyodide.toPy(options), { standalone_mode: false });
    if (kind === "lean") strip(`/work/${archive}`);
  }
}
