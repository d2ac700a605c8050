"""What a match leads to: the policy, the decision, the kind of a file and the platform's list of benign pictures.

Values in, values out: no clock, disk or network, but for reading the two files that a platform writes. It may import
`index` for what a hit is. The door is `decide` in `decision.py`.
"""
