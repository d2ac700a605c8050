"""What is written in C: compiled for this machine, for WebAssembly and into wheels, and checked.

The door is `kernel.py`; `hatch_hook.py` is loaded by the build backend.
"""
