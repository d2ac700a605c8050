"""Replaces subprocess, which Pillow imports for converters that browsers lack."""
