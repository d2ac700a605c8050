"""What `build.py serve` runs: a registry, a demo platform, and a picture to try them with."""
