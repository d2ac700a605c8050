"""The C code: compiled for this machine, for WebAssembly and into wheels, and checked.

Its interface is `kernel.py`; the build backend loads `hatch_hook.py`.
"""
