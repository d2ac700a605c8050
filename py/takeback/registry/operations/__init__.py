"""What an operator runs beside the server: backups, integrity checks, and configurations of nginx and systemd.

It may import `http` for what a proxy must repeat, `storage` and the settings. Each module is a door of its own.
"""
