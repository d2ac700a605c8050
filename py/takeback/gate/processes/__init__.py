"""The processes that decode uploads, sandboxed and within a budget, and how a process ends with its parent.

This room may import `rules` for the budget and the kind of a file. Its entry point is `Pool` in `pool.py`.
"""
