"""Stands in for the standard library's: Pillow imports it for converters that a browser has not."""
