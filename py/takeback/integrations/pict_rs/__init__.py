"""Answers pict-rs, the image server of Lemmy, which asks an address of its `external_validation` about each upload."""
