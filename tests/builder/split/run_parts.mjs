// node run_parts.mjs FIRST SECOND: calls every function of the small module in two parts. Prints what they give, and how
// often the second part was asked for after each call.
import fs from "node:fs";
import { joinParts } from "../../../web/worker/second-part.js";

const [first, second] = process.argv.slice(2);
let asked = 0;
const bring = () => {
  asked += 1;
  return fs.readFileSync(second);
};
const imports = { env: { told: (x) => x + 100 } };
const whole = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(first)), imports);
const { exports } = joinParts(whole, imports, bring);
const given = {};
const askedAfter = {};
for (const name of ["nothing", "double", "quadruple", "count", "by_table", "tell", "count"]) {
  (given[name] ??= []).push(exports[name](5) ?? null);
  askedAfter[name] = asked;
}
process.stdout.write(JSON.stringify({ given, asked: askedAfter, exports: Object.keys(exports) }));
