"""`takeback gate serve`: the gate as an HTTP sidecar, for any language.

`server` starts the processes, `app` has the routes, `uploads` reads files within limits, `messages` are what is asked
and answered, `hma` speaks as Meta's hasher-matcher-actioner does, `openapi` describes all of it, `metrics` counts.
"""
