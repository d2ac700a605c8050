"""Stands in for the standard library's: Pillow imports it for formats that the worker does not read."""
