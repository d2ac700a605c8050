"""Reads the compiled kernel as Pyodide's own tools do, so that a module that could not be loaded never ships."""

import tempfile
from pathlib import Path
from typing import Final

from auditwheel_emscripten import get_exports, get_imports

from builder import BuildError

EXPORTS: Final = frozenset(
    {"pdq_size", "pdq_begin", "pdq_keep_plane", "pdq_push", "pdq_finish", "pdq_plane", "pdq_view"}
    | {"lanczos_size", "lanczos_begin", "lanczos_rows"}
)
"""What kernel.py calls."""
IMPORTS: Final = frozenset(
    {"memory", "__memory_base", "__table_base", "__stack_pointer", "__indirect_function_table"}
)  # fmt: skip
"""What every side module may take from Pyodide. A function of a C library would show here."""


def check_kernel(module: bytes) -> None:
    """Raises `BuildError` when the WebAssembly `module` lacks an export or needs more than memory and a table."""
    with tempfile.TemporaryDirectory() as folder:
        # Two files, because the reader remembers a file that it has closed.
        paths = [Path(folder, f"kernel{number}.so") for number in range(2)]
        for path in paths:
            path.write_bytes(module)
        try:
            exported = {export.name for exports in get_exports(paths[0]).values() for export in exports}
            imported = {needed.field for imports in get_imports(paths[1]).values() for needed in imports}
        except (RuntimeError, ValueError) as error:
            raise BuildError(f"the compiled kernel is not a WebAssembly module: {error}") from error
    if missing := EXPORTS - exported:
        raise BuildError(f"the compiled kernel lacks {', '.join(sorted(missing))}; look at kernel.c")
    if surplus := imported - IMPORTS:
        raise BuildError(f"the compiled kernel needs {', '.join(sorted(surplus))}, which nothing in a browser gives it")
