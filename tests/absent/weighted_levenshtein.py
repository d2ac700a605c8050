"""Stands for a package that `threatexchange` imports to compare texts, and that is published only as source to compile.

No test here compares texts; whoever does without the real package hears of it.
"""


def lev(one: str, other: str) -> float:
    raise NotImplementedError("comparing texts needs the real weighted-levenshtein")
