"""`takeback gate serve`: the gate as an HTTP sidecar, for any language.

`server` starts the processes, `app` has the routes, `uploads` reads files within limits, `messages` defines requests
and answers, `hma` has the API of Meta's hasher-matcher-actioner, `openapi` describes all routes, `metrics` counts.
"""
