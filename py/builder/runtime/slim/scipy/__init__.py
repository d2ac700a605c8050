"""Stands for scipy, of which imagehash uses one function."""
