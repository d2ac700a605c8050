import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { leaveOutGraphics } from "../../../web/worker/graphics.js";

const wasm = new URL("../../../node_modules/pyodide/pyodide.asm.wasm", import.meta.url);

test("of the functions whose address CPython takes, OpenGL's alone get none", async () => {
  const cpython = new WebAssembly.Module(await readFile(wasm));
  const names = WebAssembly.Module.imports(cpython).flatMap(({ module, name }) =>
    module === "GOT.func" ? name : [],
  );
  const unmade = () => new WebAssembly.Global({ value: "i32", mutable: true }, -1);
  const addresses = Object.fromEntries(names.map((name) => [name, unmade()]));
  leaveOutGraphics(cpython, { "GOT.func": addresses });
  const left = names.filter((name) => addresses[name].value !== 0);
  assert.equal(names.length - left.length, 274);
  assert.ok(left.every((name) => /^emscripten_(console|out|err)/.test(name)));
});
