"""Replaces tempfile, which Pillow imports for formats that the worker does not read."""
