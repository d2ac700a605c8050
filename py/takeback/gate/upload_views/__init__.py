"""What is looked up of an upload besides the whole of it: crops, turns, and the picture inside a letterbox.

Pure: a thumbnail in, probes out. It may import `rules` for what a probe is. The door is `look_ups` in `look_ups.py`.
"""
