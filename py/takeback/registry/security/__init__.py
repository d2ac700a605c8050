"""Who may do what, and how often: credentials, entry ids, the rate limit and the proof of work.

Nothing here reads the database or a request: a caller hands over what is needed, so that each rule can be tried alone.
It may import `rules` alone. Each class is a door of its own.
"""
