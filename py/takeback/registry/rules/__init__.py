"""The rules of cases, of entries and of publication: values in, values out.

No clock, database, network or chance: whoever calls hands them over. It imports no other room. `cases.py` decides what
a message does to the feed, `entry_status.py` what feedback makes of an entry.
"""
