"""Reads the header of a JPEG XL file, so that its size is known before it is decoded."""

from typing import Final

from takeback.hashing.boxes import boxes_of

CODESTREAM: Final = b"\xff\x0a"
CONTAINER: Final = b"\0\0\0\x0cJXL \r\n\x87\n"
SIGNATURES: Final = (CODESTREAM, CONTAINER)
_RATIOS: Final = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
"""Width to height where the header omits the width (ISO/IEC 18181-1, `SizeHeader`)."""
# Bits of a side's number, chosen by the two bits before it.
_SIZES: Final = (9, 13, 18, 30)


def size_of(data: bytes) -> tuple[int, int] | None:
    """Returns width and height as stored, or `None` if the header cannot be read."""
    if data.startswith(CONTAINER):
        for name, content in boxes_of(data):
            if name in {b"jxlc", b"jxlp"}:
                # `jxlp` starts with the number of the part, 0 for the first (ISO/IEC 18181-2).
                data = content.removeprefix(b"\0\0\0\0") if name == b"jxlp" else content
                break
    return _size(data[2:32]) if data.startswith(CODESTREAM) else None


def _size(head: bytes) -> tuple[int, int]:
    """The size at the start of a codestream, which packs its numbers from the lowest bit."""
    bits = int.from_bytes(head, "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    def length(small: int) -> int:
        return (take(5) + 1) * 8 if small else take(_SIZES[take(2)]) + 1

    small = take(1)
    height = length(small)
    across, down = _RATIOS.get(take(3), (0, 0))
    return (height * across // down if down else length(small)), height
