"""A Django app: a validator for file fields, system checks, signals, and a command that checks what is stored.

Sites write "takeback.integrations.django" into INSTALLED_APPS. `settings` reads what they set, `asking` holds the
checker of each process, `validators` is the door. Absolute imports keep `import django` Django's own.
"""
