"""Interfaces for clients of other registries: NCMEC's Hash Sharing API and StopNCII's API, over the same feed.

What a foreign protocol demands belongs here and nowhere else. `common.py` is what they share; each other module
exports its routes, which the server adds to the application.
"""
