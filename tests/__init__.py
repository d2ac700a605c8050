"""The tests: a package, because some dependencies bring a `tests` of their own, which would hide a bare folder."""
