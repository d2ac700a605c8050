"""The commands `takeback registry ...` and `takeback platform ...`.

What reads arguments and prints tables belongs here; what it asks or changes is done by the other rooms. It may import
every room, each when a command runs, so that `--help` starts fast. The door is `commands.py`.
"""
