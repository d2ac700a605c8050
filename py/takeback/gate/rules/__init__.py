"""What a match leads to: the policy, the decision, the kind of a file, and the platform's benign list.

This room is pure: it uses no clock, disk or network, except to read the two files that a platform writes. It may import
`index` for the type of a hit. Its entry point is `decide` in `decision.py`.
"""
