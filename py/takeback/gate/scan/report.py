"""Writes the results of a scan: all matches in one Parquet file, a summary table, and a plot of the distances."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from takeback.gate.rules.policy import Action
from takeback.gate.scan.work import KEY_COLUMN, MATCHES_SCHEMA
from takeback.signals import PDQ_MATCH_DISTANCE, SignalType

MATCHES_FILE: Final = "matches.parquet"
SUMMARY_FILE: Final = "summary.csv"
PLOT_FILE: Final = "distances.png"
_COLOURS: Final = {Action.BLOCK: "#b3261e", Action.REVIEW: "#d9a400"}


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a scan: uploads scanned, by decision, with an error, and entries that matched any upload.

    `checkpoint` is the feed number up to which the list was complete.
    """

    scanned: int
    allow: int
    review: int
    block: int
    error: int
    entries: int
    checkpoint: int

    def lines(self) -> list[tuple[str, int]]:
        """Returns the counts with their names."""
        return [(name, getattr(self, name)) for name in self.__slots__]


def write_report(out: Path, found: Sequence[Path], scanned: int, checkpoint: int) -> Summary:
    """Merges the chunks' result files `found`, in their order, into the three files in `out`."""
    uploads: Counter[str] = Counter()
    entries: set[str] = set()
    distances: Counter[tuple[str, int]] = Counter()
    with pa.parquet.ParquetWriter(out / MATCHES_FILE, MATCHES_SCHEMA) as writer:
        for file in found:
            table = pa.parquet.read_table(file).replace_schema_metadata(None)
            writer.write_table(table)
            rows = table.to_pylist()
            # An upload has a row for each entry that it matched, and counts once; without a key each row counts.
            uploads.update(
                {
                    (row[KEY_COLUMN], place if row[KEY_COLUMN] is None else 0): row["decision"]
                    for place, row in enumerate(rows)
                }.values()
            )
            entries.update(row["entry"] for row in rows if row["entry"])
            distances.update((row["decision"], row["distance"]) for row in rows if row["type"] == SignalType.PDQ)
    stopped = sum(uploads.values())
    summary = Summary(
        scanned, scanned - stopped, uploads["review"], uploads["block"], uploads["error"], len(entries), checkpoint
    )
    names, counts = zip(*summary.lines(), strict=True)
    pa.csv.write_csv(pa.table({"what": names, "count": counts}), out / SUMMARY_FILE)
    _plot(distances, out / PLOT_FILE)
    return summary


def _plot(distances: Counter[tuple[str, int]], path: Path) -> None:
    """Plots the distances of matches: many near the limit suggest false positives, many at 0 exact copies."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    farthest = max([PDQ_MATCH_DISTANCE, *(far for _, far in distances)])
    below = [0] * (farthest + 1)
    for action, colour in _COLOURS.items():
        counts = [distances[action.value, far] for far in range(farthest + 1)]
        axes.bar(range(len(counts)), counts, bottom=below, color=colour, label=action.value)
        below = [a + b for a, b in zip(below, counts, strict=True)]
    axes.set_xlabel("PDQ distance of a match, in bits")
    axes.set_ylabel("matches")
    axes.legend(frameon=False)
    FigureCanvasAgg(figure)
    figure.savefig(path)
