// node dead_code.mjs < SCRIPT
// Prints a script without the functions and variables inside it that nothing uses.
import { text } from "node:stream/consumers";
import { minify } from "terser";

const compress = { passes: 3 };
const { code } = await minify(await text(process.stdin), { module: true, mangle: false, compress });
process.stdout.write(code);
