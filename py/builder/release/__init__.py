"""What `build.py release` makes: wheel, sdist, page, bills of materials, signed sums, and the API reference.

It may import `site` for the page and `setup` for the cache. The door is `make_release` in `make.py`.
"""
