"""Checks what is uploaded to S3-compatible stores: a service that their event notifications call.

`events` reads notifications, `notice_queue` keeps them on disk until `inspector` has decided on each object, which
`store` fetches, tags or moves. `app` and `server` are the webhook, `sweep` looks for what was missed. Only `store`
knows S3. The door is `commands`.
"""
