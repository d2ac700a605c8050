"""CPython and Pillow's libraries for the browser in two parts: the functions that the first hash needs, and the rest.

`binary.py` and `instructions.py` read and write WebAssembly, `parts.py` divides a module, `libraries.py` those in an
archive, `tables.py` finds data that can come later, `exports.py` and `loader.py` cut what nobody asks for.
`profile.json` says which functions come first; `python -m builder.split.profile` makes it anew.

It may import `runtime` and `setup`. Its interface is `split_runtime` in `runtime.py`, and `lean_loader` in `loader.py`.
"""
