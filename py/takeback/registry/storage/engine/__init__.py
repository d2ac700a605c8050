"""How the database is opened, migrated, written in groups and asked in bulk, whatever is kept in it.

Nothing here knows what a case is, but for `tables.py` and the migrations. It imports no other room. The doors are
`open_database` in `database.py` and `GroupCommit` in `group_commit.py`.
"""
