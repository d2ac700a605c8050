"""Who may do what, and how often: credentials, entry ids, the rate limit and the proof of work.

Nothing here reads the database or a request: the caller passes what is needed, so each rule can be tested alone. This
room may import only `rules`. Each class is an entry point.
"""
