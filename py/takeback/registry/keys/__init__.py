"""The two keys that belong to a database, the feed key and the PIN key, and their rotation.

Each module reads and writes a key file, and the key's mark or public half in the database. This room may import
`storage` and `security`. The entry points are `Signer` in `feed_signing.py` and `rotate` in each module.
"""
