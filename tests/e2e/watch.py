"""What a browser tells of itself while a test runs: broken policies, errors, and requests to anybody else."""

from typing import Final

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

_LISTEN: Final = """
globalThis.brokenPolicies = [];
addEventListener("securitypolicyviolation", (event) => {
  brokenPolicies.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`);
});
"""


class Watch:
    """Everything that may not happen in a good journey, in `faults`."""

    def __init__(self, context: BrowserContext, own: str) -> None:
        self.faults: list[str] = []
        self.elsewhere: list[str] = []
        self._own = own
        self._context = context
        context.add_init_script(_LISTEN)
        context.on("request", self._on_request)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)

    def broken_policies(self) -> list[str]:
        """What the page's own policy had to stop, on the pages that are open."""
        return [broken for page in self._context.pages for broken in page.evaluate("globalThis.brokenPolicies ?? []")]

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self._own + "/", "blob:" + self._own, "data:")):
            self.elsewhere.append(request.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    def _on_error(self, error: WebError) -> None:
        self.faults.append(str(error.error))
