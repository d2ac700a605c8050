"""The regions of a picture that a copy may consist of, each hashed from the picture's thumbnail.

A client sends PDQ of these beside that of the whole picture, so that a copy in another shape still matches, even at
platforms that only compare PDQ. What they reveal about the picture: PROTOCOL.md, "The views of a picture". All other
crops are found by local hashes (`patches.py`), which need fewer bits.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Final

from takeback.hashing.kernel import KernelResult, Parallelogram, Thumbnail, hash_region
from takeback.signals import PDQ_QUALITY_FLOOR, Signal, SignalType, Variant

type CountLines = Callable[[bytes, int, tuple[int, int, int, int], int], list[int]]
"""A function like `count_lines`."""
type Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge of a region, as shares of the picture's width and height."""

SHAPES: Final[Mapping[Variant, float]] = MappingProxyType(
    {
        Variant.SHAPE_1_1: 1.0,
        Variant.SHAPE_4_5: 4 / 5,
        Variant.SHAPE_3_4: 3 / 4,
        Variant.SHAPE_9_16: 9 / 16,
        Variant.SHAPE_16_9: 16 / 9,
    }
)
"""Width by height of the centre crops that platforms make."""
WHOLE_SHARE: Final = 0.98
"""A region larger than this share of both sides is matched by the whole picture."""
GROUND_TOLERANCE_LEVELS: Final = 10
"""Grey levels by which pixels of the same background may differ, because of JPEG noise."""
GROUND_NOISE_SHARE: Final = 0.04
"""Share of a line's pixels that may differ from the background in a background line."""
GAP_SHARE: Final = 1 / 60
"""Share of a side: a strip of background this narrow does not separate two parts of a picture."""
MIN_SIDE_PIXELS: Final = 64
"""Pixels of a thumbnail's side below which regions would carry no information."""
MIN_CONTENT_SHARE: Final = 1 / 10
"""Share of a side that must remain when background is trimmed."""
MIN_SENT_CONTENT_SHARE: Final = 1 / 5
"""The same for what a client sends: anything smaller is some app's toolbar, which many pictures share."""
MIN_DETAIL_PERCENT: Final = 5
"""Percentage of a region's samples that must differ from what lines along its sides explain.

Without this limit, a border around a plain background would become an entry and match every such border.
"""


def variant_signals(thumbnail: Thumbnail, known: Iterable[str]) -> list[Signal]:
    """Returns PDQ of a picture's regions, except those with too little detail and values in `known`."""
    if min(thumbnail.width, thumbnail.height) < MIN_SIDE_PIXELS:
        return []
    seen = set(known)
    signals = []
    for variant, box in _boxes(thumbnail):
        result = hash_region(thumbnail, region_of(thumbnail, box))
        if has_detail(result) and result.hash not in seen:
            seen.add(result.hash)
            signals.append(Signal(SignalType.PDQ, result.hash, result.quality, variant))
    return signals


def has_detail(result: KernelResult) -> bool:
    """Whether a region has enough detail to match by."""
    return result.quality >= PDQ_QUALITY_FLOOR and result.detail >= MIN_DETAIL_PERCENT


def region_of(thumbnail: Thumbnail, box: Box) -> Parallelogram:
    """Returns the region `box` in the form that the kernel takes."""
    left, top, right, bottom = box
    return (
        left * thumbnail.across,
        top * thumbnail.down,
        (right - left) * thumbnail.across,
        0,
        0,
        (bottom - top) * thumbnail.down,
    )


def centre_crop(shape: float, of: float) -> Box:
    """Returns the largest region of `shape`, width by height, in the centre of a picture of the shape `of`."""
    wide, high = min(1, shape / of), min(1, of / shape)
    return (1 - wide) / 2, (1 - high) / 2, (1 + wide) / 2, (1 + high) / 2


def _boxes(thumbnail: Thumbnail) -> Iterator[tuple[Variant, Box]]:
    for variant, shape in SHAPES.items():
        box = centre_crop(shape, thumbnail.across / thumbnail.down)
        if not _is_whole(box):
            yield variant, box
    content = trimmed(thumbnail, smallest=MIN_SENT_CONTENT_SHARE)
    if not _is_whole(content):
        yield Variant.TRIMMED, content


def _is_whole(box: Box) -> bool:
    return box[2] - box[0] > WHOLE_SHARE and box[3] - box[1] > WHOLE_SHARE


def trimmed(
    thumbnail: Thumbnail,
    tolerance: int = GROUND_TOLERANCE_LEVELS,
    gap: float = GAP_SHARE,
    *,
    smallest: float = MIN_CONTENT_SHARE,
    count: CountLines | None = None,
) -> Box:
    """Returns the largest object on a plain background; the whole picture if there is no background or object.

    In a screenshot or between bars the object is the picture; in a picture of something on a plain background, the
    thing itself. Grey levels within `tolerance` count as background; background narrower than the share `gap` of a side
    does not separate objects; an object under the share `smallest` of a side does not count. `count` replaces
    `count_lines`, which needs nothing but bytes, because the page has not loaded numpy yet when it hashes regions.
    """
    count = count or count_lines
    wide, high = thumbnail.width, thumbnail.height
    off = thumbnail.pixels.translate(_off_ground(_edge(thumbnail), tolerance))
    left, top, right, bottom = 0, 0, wide, high
    # The second pass counts only within the columns that the first one found.
    for _ in range(2):
        rows = count(off, wide, (left, top, right, bottom), 1)
        first, last = _longest(rows, right - left, int(high * gap))
        top, bottom = top + first, top + last
        columns = count(off, wide, (left, top, right, bottom), 0)
        first, last = _longest(columns, bottom - top, int(wide * gap))
        left, right = left + first, left + last
    if right - left < wide * smallest or bottom - top < high * smallest:
        return 0, 0, 1, 1
    return (
        left / thumbnail.across,
        top / thumbnail.down,
        min(1, right / thumbnail.across),
        min(1, bottom / thumbnail.down),
    )


def count_lines(off: bytes, wide: int, area: tuple[int, int, int, int], axis: int) -> list[int]:
    """Counts the ones of each column (axis 0) or row (1) of an area: left, top, right and bottom in pixels."""
    left, top, right, bottom = area
    if axis:
        return [off.count(1, y * wide + left, y * wide + right) for y in range(top, bottom)]
    return [off[top * wide + x : bottom * wide : wide].count(1) for x in range(left, right)]


def _edge(thumbnail: Thumbnail) -> bytes:
    wide, pixels = thumbnail.width, thumbnail.pixels
    return pixels[:wide] + pixels[-wide:] + pixels[::wide] + pixels[wide - 1 :: wide]


def _off_ground(edge: bytes, tolerance: int) -> bytes:
    """A translation table: 0 for pixels of the background, the most common grey of the edge, 1 for all others."""
    counts = Counter(edge)
    below = [0, *accumulate(counts[level] for level in range(256))]
    # Seven levels count together, because JPEG noise spreads a plain background over several.
    near = [below[min(256, level + 4)] - below[max(0, level - 3)] for level in range(256)]
    ground = near.index(max(near))
    return bytes(abs(level - ground) > tolerance for level in range(256))


def _longest(off: list[int], length: int, gap: int) -> tuple[int, int]:
    """Start and end of the longest run of lines that are not background; of all lines if there is none."""
    most = length * GROUND_NOISE_SHARE
    busy = [place for place, count in enumerate(off) if count > most]
    if not busy:
        return 0, len(off)
    starts = [place for before, place in pairwise([-gap - 2, *busy]) if place - before > gap + 1]
    ends = [place + 1 for place, after in pairwise([*busy, len(off) + gap + 1]) if after - place > gap + 1]
    return max(zip(starts, ends, strict=True), key=lambda run: run[1] - run[0])
