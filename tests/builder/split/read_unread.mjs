// node read_unread.mjs PYODIDE_FOLDER RUNTIME_FOLDER: asks CPython for what was taken out of it, and for what stands beside it.
import { startRuntime } from "../../../py/builder/runtime/node_runtime.mjs";

const [pyodideFolder, folder] = process.argv.slice(2);
const { pyodide } = await startRuntime({ pyodideFolder, folder, seed: 0 });
const ask = (question) => {
  try {
    return question();
  } catch (fault) {
    return String(fault.message).includes("ModuleNotFoundError") ? "missing" : String(fault.message);
  }
};
const { len } = pyodide.pyimport("builtins");
const said = {
  own: ask(() => pyodide.pyimport("os").path.join("a", "b")),
  excluded: ["ntpath", "runpy"].map((name) => ask(() => pyodide.pyimport(name).__name__)),
  docstring: ask(() => len.__doc__ ?? null),
  signature: ask(() => len.__text_signature__),
};
process.stdout.write(JSON.stringify(said), () => process.exit());
