"""The two secrets that belong to a database, the key that signs the feed and the key of the PINs, and their rotation.

A module reads and writes a key file and the mark or public half of it in the database. It may import `storage` and
`security`. The doors are `Signer` in `feed_signing.py` and `rotate` in each module.
"""
