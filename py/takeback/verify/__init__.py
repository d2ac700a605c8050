"""Compares what a site serves with a release of the page, so that anyone can check a site that they do not run.

`release` reads a release and its signature, `site` asks the site, `compare` says what differs, `commands` is the door.
Nothing here knows the registry or the gate: whoever verifies needs neither.
"""
