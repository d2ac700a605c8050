"""Runs inside Pyodide: turns Python sources into the bytecode of exactly this interpreter."""

import importlib.util
import marshal
import zipfile

OPTIMIZE = 2
"""As `-OO`: no asserts, no docstrings, which nobody reads in a worker."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def compile_archive(source: str, target: str, prefix: str) -> None:
    """Copies the zip at path `source` to `target`, each `.py` as unchecked-hash bytecode, everything stored.

    `prefix` is the folder, or the zip, from which Python will import the members.
    """
    with zipfile.ZipFile(source) as members, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as out:
        for name in sorted(members.namelist()):
            data = members.read(name)
            if name.endswith(".py"):
                out.writestr(zipfile.ZipInfo(f"{name}c", EPOCH), bytecode(data, prefix + name))
            else:
                out.writestr(zipfile.ZipInfo(name, EPOCH), data)


def bytecode(source: bytes, path: str) -> bytes:
    """The `.pyc` of `source`, as PEP 552 lays it out: a hash of the source that is never checked again."""
    code = compile(source, path, "exec", dont_inherit=True, optimize=OPTIMIZE)
    unchecked = (1).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source) + marshal.dumps(code)
