"""Plots of the benchmark of copies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

COLOURS: Final = ("#b9bec7", "#7d8796", "#a8d5a2", "#3c8d40", "#7fb2e5", "#1c5fa8")


def plot_shares(names: Sequence[str], shares: Mapping[str, Sequence[float]], file: Path) -> None:
    """A bar for each name and kind of share."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.38 * len(names)), layout="constrained")
    height = 0.8 / len(shares)
    places = np.arange(len(names))
    for number, (name, values) in enumerate(shares.items()):
        at = places + (number - (len(shares) - 1) / 2) * height
        axes.barh(at, np.array(values) * 100, height, label=name, color=COLOURS[number % len(COLOURS)])
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("copies, %")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(file, dpi=80, metadata={"Software": None})
    plt.close(figure)


def plot_lines(steps: Sequence[str], lines: Mapping[str, NDArray[np.float64]], what: str, file: Path) -> None:
    """A line for each name over the steps; `what` says what a step is."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    for name, values in lines.items():
        bold = name == "all changes"
        axes.plot(values * 100, marker=".", label=name, color="black" if bold else None, linewidth=2.5 if bold else 1.2)
    axes.set_xticks(range(len(steps)), steps, rotation=40, ha="right")
    axes.set_ylim(0, 101)
    axes.set_ylabel("copies, %")
    axes.set_xlabel(what)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(file, dpi=80, metadata={"Software": None})
    plt.close(figure)
