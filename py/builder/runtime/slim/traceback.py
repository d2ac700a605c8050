"""Replaces traceback, which would import half of the compiler's modules. CPython prints tracebacks without it."""
