"""The index: finds every code within a Hamming distance, in memory that many processes share.

Only `native.py` calls the compiled `index.c`. `chunking.py` decides how codes are split into chunks, and `file.py`
stores the index as one file. This room imports no other room. Its entry point is `MultiIndex` in `multi_index.py`.
"""
