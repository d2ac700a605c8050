"""`takeback lookup serve`: answers sites' questions over HTTP, from the list of a gate's folder.

`server` starts the process, `app` has the routes, `openapi` describes them. `sites` keeps keys and usage in a database
of its own. `probing` slows sites that walk distances, `sealed_ids` makes the ids for feedback, `exact` the lists of
suffixes. The room may import the gate; nothing of a question is written anywhere.
"""
