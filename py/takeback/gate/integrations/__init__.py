"""The gate inside other software: an exchange for python-threatexchange and hasher-matcher-actioner.

That software loads a module by its name. This room may import `feed` and the settings.
"""
