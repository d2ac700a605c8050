"""Replaces scipy, of which imagehash uses one function."""
