// node read_tables.mjs PYODIDE_FOLDER RUNTIME_FOLDER: reads the tables that come with the second part of CPython. Prints
// what they say, and how often the second part was asked for.
import { startRuntime } from "../../../py/builder/runtime/node_runtime.mjs";

const [pyodideFolder, folder] = process.argv.slice(2);
let asked = 0;
const onSecondPart = () => (asked += 1);
const { pyodide } = await startRuntime({ pyodideFolder, folder, seed: 0, onSecondPart });
const before = asked;
const bullet = pyodide.pyimport("unicodedata").lookup("BULLET");
const encoded = ["jp shift_jis", "kr euc_kr", "cn gb2312", "tw big5", "hk big5hkscs"].map((both) => {
  const [module, codec] = both.split(" ");
  return pyodide.pyimport(`_codecs_${module}`).getcodec(codec).encode("中").toJs()[0];
});
const hex = encoded.map((bytes) => Buffer.from(bytes).toString("hex"));
process.stdout.write(JSON.stringify({ before, bullet, hex, asked }), () => process.exit());
