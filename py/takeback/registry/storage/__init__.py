"""The registry's storage and its only SQL: three stores over one writer, and the queries behind them.

Other rooms call the stores. The `..._queries` modules hold statements that run in the caller's transaction. This room
may import `rules`, `security` and `engine`. The entry point is `Store` in `store.py`.
"""
