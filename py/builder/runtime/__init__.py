"""What runs in the browser: CPython, Pillow and the hashing core as archives, and the proof that they hash as natively.

It may import `setup` and `native`. The doors are `runtime_files` in `archives.py` and `check_modules` in `modules.py`.
"""
