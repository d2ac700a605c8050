"""What operators run beside the server: backups, integrity checks, and configurations for nginx and systemd.

This room may import `http` for the headers that a proxy sends, `storage` and the settings. Each module stands alone.
"""
