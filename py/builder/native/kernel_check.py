"""Inspects the compiled kernel with Pyodide's tools, so that a module that cannot be loaded never ships."""

import tempfile
from pathlib import Path
from typing import Final

from auditwheel_emscripten import get_exports, get_imports

from builder import BuildError

EXPORTS: Final = frozenset(
    {"pdq_size", "pdq_begin", "pdq_keep_plane", "pdq_push", "pdq_finish", "pdq_plane", "pdq_view"}
    | {"lanczos_size", "lanczos_begin", "lanczos_rows", "patches_size", "patches_sent", "patches_asked"}
)
"""The functions that kernel.py calls."""
IMPORTS: Final = frozenset(
    {"memory", "__memory_base", "__table_base", "__stack_pointer", "__indirect_function_table"}
)  # fmt: skip
"""What a side module may import from Pyodide. A C library's function would be found here."""


def check_kernel(module: bytes) -> None:
    """Raises `BuildError` if the WebAssembly `module` lacks an export, or imports more than memory and a table."""
    with tempfile.TemporaryDirectory() as folder:
        # Two copies, because the reader caches a file by path and closes it.
        paths = [Path(folder, f"kernel{number}.so") for number in range(2)]
        for path in paths:
            path.write_bytes(module)
        try:
            exported = {export.name for exports in get_exports(paths[0]).values() for export in exports}
            imported = {needed.field for imports in get_imports(paths[1]).values() for needed in imports}
        except (RuntimeError, ValueError) as error:
            raise BuildError(f"the compiled kernel is not a WebAssembly module: {error}") from error
    if missing := EXPORTS - exported:
        raise BuildError(f"the compiled kernel does not export {', '.join(sorted(missing))}; see kernel.c")
    if surplus := imported - IMPORTS:
        raise BuildError(f"the compiled kernel imports {', '.join(sorted(surplus))}, which Pyodide does not provide")
