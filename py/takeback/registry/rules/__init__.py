"""The rules of cases, entries and publication: pure functions of values.

They use no clock, database, network or randomness; the caller passes these in. This room imports no other room.
`cases.py` decides what a message does to the feed, `entry_status.py` what feedback does to an entry's status.
"""
