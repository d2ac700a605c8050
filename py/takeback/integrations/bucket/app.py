"""The webhook: takes notifications, and answers 200 once they are on disk."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from takeback.errors import GateError, InvalidMessage, RequestRefused
from takeback.gate.serve.log import write_log
from takeback.gate.serve.uploads import read_body
from takeback.integrations.bucket.events import Delivery, read_delivery
from takeback.integrations.bucket.inspector import InspectorOptions
from takeback.integrations.bucket.notice_queue import NoticeQueue
from takeback.integrations.callers import is_caller

MAX_BODY_BYTES: Final = 1 << 20
"""Size of a notification: Amazon's and SNS's are at most 256 KB."""


@dataclass(frozen=True, slots=True)
class _Webhook:
    options: InspectorOptions
    queue: NoticeQueue
    token: str

    async def take(self, request: Request) -> Response:
        """Keeps what a notification names; whatever it is about, it is answered without a look at the store."""
        if not is_caller(request.headers.get("authorization", ""), self.token):
            refusal = _problem(401, "not-allowed", "the token is missing or wrong")
            refusal.headers["www-authenticate"] = 'Basic realm="takeback"'  # SNS sends a password only when asked
            return refusal
        try:
            delivery = read_delivery(await read_body(request, MAX_BODY_BYTES))
            await asyncio.to_thread(self._keep, delivery)
        except RequestRefused as error:
            return _problem(error.status, error.code, str(error))
        except InvalidMessage as error:
            return _problem(400, error.code, str(error))
        except ClientDisconnect:
            return Response(status_code=400)
        except GateError as error:
            write_log(str(error))
            return _problem(503, "busy", str(error))
        return JSONResponse({"kept": len(delivery.notices)})

    def _keep(self, delivery: Delivery) -> None:
        if delivery.say:
            write_log(delivery.say)
        self.queue.add(one for one in delivery.notices if self.options.watches(one.bucket, one.key))

    async def health(self, _request: Request) -> Response:
        """Returns how many notifications wait."""
        return JSONResponse({"waiting": await asyncio.to_thread(len, self.queue)})


def create_app(options: InspectorOptions, queue: NoticeQueue, token: str) -> Starlette:
    """Returns the application."""
    webhook = _Webhook(options, queue, token)
    routes = [Route(path, webhook.take, methods=["POST"]) for path in ("/", "/events")]
    return Starlette(routes=[*routes, Route("/healthz", webhook.health)])


def _problem(status: int, code: str, text: str) -> JSONResponse:
    return JSONResponse({"error": text, "code": code}, status)
