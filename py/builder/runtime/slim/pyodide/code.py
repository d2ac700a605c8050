"""Runs sources, of which the worker has none."""
