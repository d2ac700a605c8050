"""What the registry keeps, and the only SQL: three stores over one writer, and the queries that they are made of.

A store is what other rooms call; a `..._queries` module holds statements, each inside its caller's transaction. It may
import `rules`, `security` and `engine`. The door is `Store` in `store.py`.
"""
