"""The registry: holds people's cases and publishes the feed that platforms follow. It cannot read a picture.

An event comes in through `site.py` and `app.py` (HTTP), `auth.py` (who may), `store.py` (what is kept) and `writer.py`
(many events, one transaction); `cases.py` decides, without a clock, a database or a network.
"""
