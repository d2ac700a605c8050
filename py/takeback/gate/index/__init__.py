"""The index: finds every code within a distance, in memory that many processes share.

`native.py` alone calls the compiled `index.c`; `chunking.py` decides how codes are cut, `file.py` lays the index out as
one file. It imports no other room. The door is `MultiIndex` in `multi_index.py`.
"""
