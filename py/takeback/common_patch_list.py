"""The hashes of common patches, one a line, for `common_patches.py`."""

from typing import Final

HASHES: Final = """
# 64-bit hashes of patches of interfaces, letters and emoji.
"""
