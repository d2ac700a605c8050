"""What is served: scripts, styles and the runtime with their hashes, compressed, with notices and their own source.

It may import `runtime` and `setup`. The door is `build_site` in `assemble.py`.
"""
