"""Finds the tables of CPython that only the second part reads: those of the Asian codecs, of Unicode names, of `iconv`.

A function of the first part that read such a table before the second part is there would see zeros, so each table must
be proven to be read by nobody else. They are constants of a file of C, which no other file can name. A module does not
say what is of one file, but the linker leaves a file's functions side by side, and so its constants. Around the
function that starts a built-in module, and around the one that names the C library's character sets, the functions up
to the next one of the first part are `own`. A table is what lies between two addresses that own functions name, with
none between that a function of the first part names.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from builder import BuildError
from builder.split.binary import Kind, Section, WasmModule, WasmReader, memory_of, read_data
from builder.split.instructions import addresses

MODULES: Final = (
    *("_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw"),
    "unicodedata",
)
"""The built-in modules whose files have the largest tables."""
ICONV: Final = b"utf8\0char\0\0\310wchart\0\0\306"
"""How the C library's list of character sets begins; tables of nearly all of them follow."""
LEAST_BYTES: Final = 4096
"""Of a table; smaller ones save nothing."""
MARGIN_BYTES: Final = 4096
"""What stays at the start of a table: an address that code names may lie before what it is for, as in `table - 40`."""
_WORD: Final = 4


def find_tables(module: WasmModule, first: AbstractSet[int]) -> list[range]:
    """The addresses of each table, in order, if `first` are the functions of the first part. Raises `BuildError`."""
    memory = _Memory(module)
    places = [memory.place_of(name) for name in MODULES]
    starts = [*(memory.function_at(place) for place in places), _naming(module, memory.address_of(ICONV))]
    own = {number for start in starts for number in _around(start, first, len(module.bodies))}
    # What comes after the list of modules, which holds pointers, is no constant.
    bounds = range(memory.start, min(places))
    named = {number: {at for at in addresses(body) if at in bounds} for number, body in enumerate(module.bodies)}
    by_first = {at for number in first for at in named[number]}
    by_own = sorted({at for number in own for at in named[number]} - by_first)
    others = sorted(by_first)
    found: list[range] = []
    for start, stop in _runs(by_own, others):
        table = range(start + MARGIN_BYTES, stop)
        if len(table) >= LEAST_BYTES:
            found.append(table)
    return found


def _naming(module: WasmModule, address: int) -> int:
    """The first function that names an address. Raises `BuildError` if there is none."""
    for number, body in enumerate(module.bodies):
        if address in addresses(body):
            return number
    raise BuildError("no function names the C library's list of character sets")


def _runs(own: Sequence[int], others: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of the addresses in `own` between each two neighbours in `others`."""
    runs: dict[int, list[int]] = {}
    for at in own:
        runs.setdefault(bisect(others, at), []).append(at)
    yield from ((run[0], run[-1]) for run in runs.values())


def _around(number: int, first: AbstractSet[int], count: int) -> range:
    """The functions beside one, up to the next of the first part on either side. Raises `BuildError` if it is one."""
    if number in first:
        raise BuildError("a built-in module whose tables come later is started before the first hash")
    start = max((other for other in first if other < number), default=-1)
    return range(start + 1, min((other for other in first if other > number), default=count))


class _Memory:
    """What a module writes to memory when it starts."""

    def __init__(self, module: WasmModule) -> None:
        segments = read_data(module.sections)
        self.start = min(data.address for data in segments)
        self.bytes = memory_of(segments)
        reader = WasmReader(module.sections[Section.ELEMENT])
        reader.unsigned()
        reader.take(2)
        slot = reader.signed()
        self.functions = {
            slot + place: index - module.imported(Kind.FUNCTION) for place, index in enumerate(module.elements[0])
        }

    def place_of(self, module: str) -> int:
        """Where a built-in module's name stands in CPython's list of names and functions. Raises `BuildError`."""
        text = self.bytes.find(f"\0{module}\0".encode()) + 1
        places = [at for at in self._words_of(text) if self._word(at + _WORD) in self.functions]
        if not text or len(places) != 1:
            raise BuildError(f"CPython's list of built-in modules does not have {module} once")
        return places[0]

    def address_of(self, content: bytes) -> int:
        """Where some bytes stand. Raises `BuildError` if they are not there once."""
        if self.bytes.count(content) != 1:
            raise BuildError("the C library's list of character sets is not where it was")
        return self.bytes.index(content)

    def function_at(self, place: int) -> int:
        """The function that starts the module at this place of the list."""
        return self.functions[self._word(place + _WORD)]

    def _word(self, at: int) -> int:
        return int.from_bytes(self.bytes[at : at + _WORD], "little")

    def _words_of(self, value: int) -> Iterator[int]:
        """The aligned places at which a number stands."""
        sought, at = value.to_bytes(_WORD, "little"), -1
        while (at := self.bytes.find(sought, at + 1)) >= 0:
            if at % _WORD == 0:
                yield at
