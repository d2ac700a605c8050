"""Turns promises into futures, of which the worker has none."""
