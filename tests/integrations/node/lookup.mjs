/** Calls a `RemoteGate` as the first argument says, and prints what each call gave, or its error, as JSON. */
import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { inspect } from "node:util";
import { RemoteGate } from "./takeback-lookup.mjs";

const { address, key, options, calls } = JSON.parse(process.argv[2]);
const told = ({ name, code, message, retryAfter }) => ({ error: name, code, message, retryAfter });
const given = { bytes: readFile, blob: openAsBlob };

async function called([method, first, ...more]) {
  const [way] = Object.keys(Object(first)).filter((name) => name in given);
  return gate[method](way ? await given[way](first[way]) : first, ...more);
}

let gate;
try {
  gate = address ? new RemoteGate(address, key, options) : RemoteGate.open(options);
  const answers = [];
  for (const call of calls) answers.push(await called(call).catch(told));
  console.log(JSON.stringify({ answers, shown: inspect(gate, { showHidden: true, depth: 5 }) }));
} catch (error) {
  console.log(JSON.stringify({ answers: [told(error)], shown: "" }));
}
