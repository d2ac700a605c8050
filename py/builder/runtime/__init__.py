"""What runs in the browser: CPython, Pillow and the hashing core as archives, and a check that they hash as natively.

It may import `setup` and `native`. Its interface is `runtime_files` in `archives.py` and `check_modules` in
`modules.py`.
"""
