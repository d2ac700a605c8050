"""The gate inside software of others: an exchange for python-threatexchange and hasher-matcher-actioner.

Each module is loaded by that software, by its name. It may import `feed` and the settings.
"""
