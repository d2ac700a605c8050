"""Counts what the frames of an upload match, second by second. Pure.

Seconds count and not frames, so that it does not matter how many frames a second either side has hashed: a second
matches if one of its frames does.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from takeback.gate.index.multi_index import Hit
from takeback.gate.rules.decision import EACH_FRAME, Probe
from takeback.gate.rules.votes import Votes

MAX_VIDEOS_OF_A_FRAME: Final = 8
"""A frame that more registered videos have may be a title card or an app's end card: it does not block by itself."""


def counted(asked: Sequence[Probe], hits: Iterable[Hit]) -> list[Hit]:
    """Returns one hit with `shares` for each video that the upload's frames match, and all other hits as they are."""
    by_entry: dict[str, list[Hit]] = defaultdict(list)
    videos: dict[int, set[str]] = defaultdict(set)
    others: list[Hit] = []
    for hit in hits:
        if hit.frame is not None:
            videos[hit.asked].add(hit.entry)
        if hit.frame is None or asked[hit.asked].second is None:
            others.append(hit)
        else:
            by_entry[hit.entry].append(hit)
    common = {place for place, entries in videos.items() if len(entries) > MAX_VIDEOS_OF_A_FRAME}
    whole: set[int | None] = {probe.second for probe in asked} - {None}
    # Only the few frames that stand for the upload are looked up in all views.
    viewed: set[int | None] = {probe.second for probe in asked if probe.view not in EACH_FRAME} - {None}
    return [
        *(hit._replace(is_common=hit.asked in common) for hit in others),
        *(_video(asked, found, (whole, viewed), common) for found in by_entry.values()),
    ]


def _video(
    asked: Sequence[Probe], found: list[Hit], upload: tuple[set[int | None], set[int | None]], common: Collection[int]
) -> Hit:
    """Counts the hits of one registered video. `upload` are the upload's seconds: all, and those with views."""
    nearest: dict[int | None, int] = {}
    held: set[int] = set()
    seconds = 1
    for hit in found:
        assert hit.frame is not None
        second = asked[hit.asked].second
        nearest[second] = min(hit.distance, nearest.get(second, hit.distance))
        held.add(hit.frame.place)
        seconds = hit.frame.seconds
    whole, viewed = upload
    # A clip begins and ends within a second of the registered video, so that one of its own may hold no sample of it.
    share = max(len(nearest) / max(1, len(whole) - 1), len(nearest.keys() & viewed) / max(1, len(viewed)))
    best = min(found, key=lambda hit: (hit.distance, hit.asked))
    # At most 1: while a video is replaced, frames of both its versions are found.
    shares = min(1.0, share), min(1.0, len(held) / seconds)
    is_common = all(hit.asked in common for hit in found)
    return best._replace(distance=max(nearest.values()), shares=shares, is_common=is_common)


def pictures(
    asked: Sequence[Probe], hits: Iterable[Hit], votes: Iterable[Votes], entries: Collection[str]
) -> list[frozenset[str]]:
    """Groups `entries` by the picture that they match: those that match the same second, or the upload as a picture.

    The rate brake counts pictures, and a video may show several.
    """
    together: dict[int | None, set[str]] = defaultdict(set)
    matched = [*((hit.entry, asked[hit.asked].second) for hit in hits), *((one.entry, one.second) for one in votes)]
    for entry, second in matched:
        if entry in entries:
            together[second].add(entry)
    return list(_joined(together.values()))


def _joined(groups: Iterable[set[str]]) -> Iterator[frozenset[str]]:
    """Yields the groups, those that share a member as one."""
    joined: list[frozenset[str]] = []
    for group in groups:
        apart = [other for other in joined if not other & group]
        touching = [other for other in joined if other & group]
        joined = [*apart, frozenset(group).union(*touching)]
    yield from joined
