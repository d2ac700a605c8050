"""Pyodide's JavaScript without what nothing calls: only that is cut, and a script of another form is refused."""

import pytest

from builder import BuildError
from builder.setup.pins import read_pins
from builder.split.loader import lean_loader, without_dead_code, without_exports, without_imports, without_offers


def test_only_assignments_are_cut_from_the_loader() -> None:
    """Variables and lines of exports that are cut disappear; everything else stays as it is."""
    script = 'a;var _b,_c,memory;function assignWasmExports(wasmExports){_b=Module["_b"]=wasmExports["b"];'
    script += '_c=wasmExports["c"];memory=wasmMemory}_b()'
    lean = 'a;var _b,memory;function assignWasmExports(wasmExports){_b=Module["_b"]=wasmExports["b"];'
    assert without_exports(script, frozenset({"b"})) == f"{lean}memory=wasmMemory}}_b()"
    with pytest.raises(BuildError, match="another way"):
        without_exports("nothing of the kind", frozenset())


def test_only_functions_that_are_imported_are_handed_over() -> None:
    """What nobody imports is not handed over, and has no signature; a function under two names keeps it."""
    script = 'f.sig="i";g.sig="i";h.sig="i";var wasmImports={f:f,one:g,two:g,h:h};'
    assert without_imports(script, {"one", "h"}) == 'g.sig="i";h.sig="i";var wasmImports={one:g,h:h};'
    with pytest.raises(BuildError, match="another way"):
        without_imports("nothing of the kind", frozenset())


def test_only_properties_that_somebody_names_are_offered() -> None:
    """A function of which neither the script nor another one speaks is no property of `Module`."""
    script = 'Module["a"]=a;Module["b"]=b;Module["c"]=c;Module["d"]=e;Module["f"]=f;Module.b();x=Module["c"];Module?.f'
    lean = 'Module["b"]=b;Module["c"]=c;Module["d"]=e;Module["f"]=f;Module.b();x=Module["c"];Module?.f'
    assert without_offers(script, frozenset()) == lean
    assert without_offers(script, {"a"}) == script


def test_dead_code_goes_out_of_functions() -> None:
    """Functions and variables inside a function that nothing uses are gone, although it evaluates code."""
    script = """export default async function make(arg) {
      var unused = 1; function gone() { return unused + gone(); } function used() { return arg; }
      if (arg > 5) { eval("1"); } return used(); }"""
    lean = without_dead_code(script)
    assert "gone" not in lean
    assert "unused" not in lean
    assert "return arg>5&&(0,eval)" in lean
    with pytest.raises(BuildError, match="terser does not read"):
        without_dead_code("function (")


def test_libraries_that_are_not_there_have_no_code() -> None:
    """Nothing of SDL or OpenGL is left, and the loader is half of what it was."""
    loader = lean_loader(read_pins())
    assert loader == lean_loader(read_pins())
    assert len(loader) < 400_000
    for name in (b"_SDL_Init", b"_Mix_", b"_glUniform", b"_alcOpen"):
        assert name not in loader
