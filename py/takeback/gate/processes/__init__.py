"""The processes that decode uploads, sealed and within a budget, and how every process ends with its parent.

It may import `rules` for the budget and the kind of a file. The door is `Pool` in `pool.py`.
"""
