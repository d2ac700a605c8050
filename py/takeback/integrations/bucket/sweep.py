"""Looks for objects that no notification led to: lists the buckets and checks what has no tag of ours."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Final, override

from takeback.errors import GateError
from takeback.gate.serve.log import write_log
from takeback.integrations.bucket.inspector import UNCHECKED, Inspector, NotDecided, ObjectOutcome
from takeback.integrations.bucket.store import ObjectChanged, ObjectStore

_TRIES: Final = 3
"""How often an object that is written meanwhile is begun anew."""


@dataclass(slots=True)
class Swept:
    """What a sweep found: how many objects came to which end, how many have a tag, and how many are not decided."""

    outcomes: Counter[ObjectOutcome] = field(default_factory=Counter)
    tagged: int = 0
    undecided: int = 0

    @override
    def __str__(self) -> str:
        """Returns one line for people."""
        told = [f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items())]
        return ", ".join([*told, f"{self.tagged} had a tag", f"{self.undecided} could not be decided"])


def sweep(inspector: Inspector, store: ObjectStore, prefix: str, *, everything: bool, workers: int) -> Swept:
    """Checks the objects below a prefix that have no tag, or `unchecked`; with `everything`, all of them.

    Stops if nobody can decide any more. Raises `GateError` if a bucket cannot be listed.
    """
    swept = Swept()
    watched = (
        (bucket, key)
        for bucket in sorted(inspector.options.buckets)
        for key in store.keys(bucket, prefix)
        if inspector.options.watches(bucket, key)
    )
    decidable = takewhile(lambda _: not inspector.is_away.is_set(), watched)
    with ThreadPoolExecutor(workers, "sweep") as threads:
        for found in _each(decidable, inspector, threads, everything=everything, ahead=workers * 4):
            if found is None:
                swept.undecided += 1
            elif not found:
                swept.tagged += 1
            swept.outcomes.update(found or ())
    if inspector.is_away.is_set():
        write_log("nobody can decide at the moment: the sweep stopped; start it again later")
    return swept


def _each(
    watched: Iterator[tuple[str, str]],
    inspector: Inspector,
    threads: ThreadPoolExecutor,
    *,
    everything: bool,
    ahead: int,
) -> Iterator[list[ObjectOutcome] | None]:
    """Yields what became of each object; only a few are begun ahead, so that a bucket may have any size."""
    begun = set[Future[list[ObjectOutcome] | None]]()
    number = 0
    while True:
        for bucket, key in islice(watched, ahead - len(begun)):
            number += 1
            begun.add(threads.submit(_one, inspector, bucket, key, f"sweep-{number}", everything=everything))
        if not begun:
            return
        done, begun = wait(begun, return_when=FIRST_COMPLETED)
        yield from (one.result() for one in done)


def _one(inspector: Inspector, bucket: str, key: str, event: str, *, everything: bool) -> list[ObjectOutcome] | None:
    """Returns what became of an object: nothing if it has a tag, None if nobody could decide."""
    try:
        for _ in range(_TRIES):
            if not everything and inspector.tag_of(bucket, key) not in {"", UNCHECKED}:
                return []
            try:
                return inspector.inspect(bucket, key, event=event)
            except ObjectChanged:
                continue
    except ObjectChanged:
        return [ObjectOutcome.GONE]
    except (NotDecided, GateError) as error:
        write_log(f"event {event}: unchecked: {error}")
    return None
