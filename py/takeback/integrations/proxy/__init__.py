"""`takeback gate proxy`: a reverse proxy that checks the uploads of named routes before the application gets them.

`server` starts it and `app` is its door: it passes requests on, and checks those that `routes` names. `forms` and
`spool` take a body in, `judges` ask a gate or a sidecar, `tus` follows resumable uploads, `upstream` and `tunnel`
(WebSocket) reach the application, `headers` says what passes, and `answers` what people read. `routes` and `headers`
are pure. It may import the sidecar's log, and no other room imports it.
"""
