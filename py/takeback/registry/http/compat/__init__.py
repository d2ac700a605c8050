"""Interfaces for clients of other registries, over the same feed: NCMEC's Hash Sharing API and StopNCII's API.

Everything that is specific to another protocol belongs here. `common.py` has what the interfaces share; each other
module exports its routes, which the server adds to the application.
"""
