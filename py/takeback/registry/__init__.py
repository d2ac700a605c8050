"""The registry: holds people's cases and publishes the feed that platforms follow. It cannot read a picture.

A request comes in through `http`, `security` says whether it may, `rules` decide without a clock, a database or a
network, and `storage` keeps what was decided. `data.py` opens what is kept, and `server.py` puts all together;
`cli` and `operations` are for operators.
"""
