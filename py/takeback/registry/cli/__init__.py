"""The commands `takeback registry ...` and `takeback platform ...`.

These modules read arguments and print results; the other rooms do the work. This room may import every room, but only
when a command runs, so that `--help` starts fast. The entry point is `commands.py`.
"""
