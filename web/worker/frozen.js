/**
 * Gives CPython its modules as frozen ones: it takes their bytecode from a table in its own memory. To find and read each
 * of them through its importers in Python would take a fifth of the start.
 */

import { members } from "./archive.js";

/** What stands before the code in a `.pyc` file (PEP 552). */
const HEADER_BYTES = 16;
/** `struct _frozen` of `cpython/import.h`: name, code, size and whether it is a package, 32 bits each. */
const ENTRY_BYTES = 16;
const MODULE = /^(?<name>.+?)(?<isPackage>\/__init__)?\.pyc$/;

/**
 * Writes every bytecode file of `archives` into the table `PyImport_FrozenModules`. CPython must not run yet.
 *
 * @param {WebAssembly.Exports} cpython
 * @param {ArrayBuffer[]} archives
 * @throws {Error} like `members`
 */
export function freeze(cpython, archives) {
  const { malloc, memory, PyImport_FrozenModules: table } = /** @type {Record<string, any>} */ (cpython);
  const modules = archives.flatMap((archive) => [...members(archive)].flatMap(moduleOf));
  // A last entry of zeros ends the table.
  const tableBytes = (modules.length + 1) * ENTRY_BYTES;
  const size = modules.reduce((sum, { name, code }) => sum + name.length + code.length, tableBytes);
  const start = malloc(size);
  const bytes = new Uint8Array(memory.buffer, start, size);
  const entries = new Uint32Array(memory.buffer, start, tableBytes / 4).fill(0);
  let end = tableBytes;
  const append = (/** @type {Uint8Array} */ data) => {
    bytes.set(data, end);
    end += data.length;
    return start + end - data.length;
  };
  for (const [at, { name, code, isPackage }] of modules.entries()) {
    entries.set([append(name), append(code), code.length, isPackage], (at * ENTRY_BYTES) / 4);
  }
  new Uint32Array(memory.buffer, table.value, 1)[0] = start;
}

/**
 * A member of an archive as a module, its name ending in a zero; none if it is something else.
 *
 * @param {{ name: string, data: Uint8Array }} member
 */
function moduleOf({ name, data }) {
  const { name: path, isPackage } = MODULE.exec(name)?.groups ?? {};
  if (!path) return [];
  const text = `${path.replaceAll("/", ".")}\0`;
  return [
    { name: new TextEncoder().encode(text), code: data.subarray(HEADER_BYTES), isPackage: isPackage ? 1 : 0 },
  ];
}
