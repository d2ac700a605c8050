"""The views of an upload that are looked up besides the whole: crops, rotations, and the picture inside a letterbox.

This room is pure: it takes a thumbnail and returns probes. It may import `rules` for the type of a probe. Its entry
point is `look_ups` in `look_ups.py`.
"""
