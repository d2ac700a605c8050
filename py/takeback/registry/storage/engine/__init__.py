"""The database engine: opens and migrates the database, groups commits, and runs bulk statements.

Only `tables.py` and the migrations know about cases and entries. This room imports no other room. The entry points are
`open_database` in `database.py` and `GroupCommit` in `group_commit.py`.
"""
