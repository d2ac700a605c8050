"""What `build.py serve` and `build.py dev` run: a registry with the page, a demo platform, a picture to try them with.

It may import `site` and `setup`. The doors are `serve_site` in `serve.py` and `serve_edits` in `dev.py`.
"""
