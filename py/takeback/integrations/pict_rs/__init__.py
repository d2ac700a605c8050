"""Answers pict-rs, the image server of Lemmy, which asks an address of its `external_validation` about each upload.

`app` takes the file in as the proxy does, and asks by `checker`. The door is `commands`.
"""
