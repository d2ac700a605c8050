// node run_parts.mjs FIRST SECOND: calls every function of the small module in two parts. Prints what they give, and how
// often the second part was asked for after each call.
import fs from "node:fs";
import { joinParts, secondParts } from "../../../web/worker/second-part.js";

const [first, second] = process.argv.slice(2);
let asked = 0;
const bring = secondParts(() => {
  asked += 1;
  return fs.readFileSync(second);
});
const memory = new WebAssembly.Memory({ initial: 1 });
const table = new WebAssembly.Table({ element: "anyfunc", initial: 4 });
const places = { memory, __indirect_function_table: table, __memory_base: 64, __table_base: 3 };
const imports = { env: { told: (x) => x + 100, ...places } };
const whole = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(first)), imports);
const { exports } = joinParts(whole, imports, bring);
const given = {};
const askedAfter = {};
for (const name of ["nothing", "double", "quadruple", "count", "by_table", "tell", "count"]) {
  (given[name] ??= []).push(exports[name](5) ?? null);
  askedAfter[name] = asked;
}
const data = Buffer.from(memory.buffer, places.__memory_base, 4).toString("latin1");
process.stdout.write(JSON.stringify({ given, asked: askedAfter, exports: Object.keys(exports), data }));
