"""What is served: scripts, styles and the runtime with their hashes, compressed, with licence notices and source code.

It may import `split`, `runtime` and `setup`. Its interface is `build_site` in `assemble.py`.
"""
