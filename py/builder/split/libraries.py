"""Pillow's shared libraries in two parts, like CPython.

The first parts stand in the archive in place of the whole libraries. The second ones are sections of CPython's second
part, each with its library's name, so that the page has one file to bring.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from builder.runtime.zips import read_zip, stored_zip
from builder.split.binary import encode, named, parse, read_sections
from builder.split.instrument import instrument
from builder.split.parts import divide

LIBRARIES: Final = ("_imaging", "_webp")
"""The libraries that are divided; the others are small."""


def library_name(member: str) -> str | None:
    """The name of the library that a member of an archive is, or None: `PIL/_webp.cpython-314.so` is `_webp`."""
    return member.rpartition("/")[2].partition(".")[0] if member.endswith(".so") else None


def read_libraries(packages: bytes) -> dict[str, bytes]:
    """Those of `LIBRARIES` that an archive has, by name."""
    members = {library_name(member): data for member, data in read_zip(packages).items()}
    return {name: members[name] for name in LIBRARIES if name in members}


def divide_libraries(packages: bytes, first: Mapping[str, AbstractSet[int]]) -> tuple[bytes, dict[str, bytes]]:
    """An archive with the first parts of its libraries, and the second parts by name.

    `first` has the functions of each first part. All exports stay, because a library looks for some of its own by name.
    Raises `BuildError`.
    """
    parts = {
        name: divide(data, first[name], frozenset(export.name for export in parse(data).exports))
        for name, data in read_libraries(packages).items()
    }
    divided = _with_libraries(packages, lambda name, _data: parts[name].first)
    sizes = [len(data) for member, data in read_zip(divided).items() if library_name(member)]
    assert len(sizes) == len(set(sizes)), "the worker identifies libraries by their size"
    return divided, {name: part.second for name, part in parts.items()}


def instrument_libraries(packages: bytes) -> bytes:
    """An archive whose libraries note which of their functions are entered. Raises `BuildError`."""
    return _with_libraries(packages, lambda _name, data: instrument(data))


def with_second_parts(second: bytes, libraries: Mapping[str, bytes]) -> bytes:
    """CPython's second part with those of the libraries in it."""
    sections, customs = read_sections(second)
    return encode(sections, [*customs, *(named(name) + data for name, data in sorted(libraries.items()))])


def _with_libraries(packages: bytes, changed: Callable[[str, bytes], bytes]) -> bytes:
    """An archive in which each of `LIBRARIES` is what `changed` makes of its name and bytes."""
    members = read_zip(packages)
    names = {member: name for member in members if (name := library_name(member)) in LIBRARIES}
    return stored_zip({**members, **{member: changed(name, members[member]) for member, name in names.items()}})
