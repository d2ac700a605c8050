"""What Synapse calls for every file that it is to store: uploads, files of other servers, and URL previews.

Synapse deletes a file that is refused, and its database never names it. Nothing is logged of a file but its id and
server, and outside of the request's logging context, which would add the uploader's Matrix id.
"""

import logging
from pathlib import Path
from typing import Any, Final

from synapse.logging.context import PreserveLoggingContext
from synapse.media._base import FileInfo
from synapse.media.media_storage import ReadableFileWrapper
from synapse.module_api import NOT_SPAM, ModuleApi
from synapse.module_api.errors import Codes, ConfigError, SynapseError
from twisted.internet import reactor
from twisted.python.threadpool import ThreadPool

from takeback import how_to_install
from takeback.errors import PictureError, TakebackError
from takeback.integrations.checker import Checked, open_checker
from takeback.integrations.synapse.settings import ModuleSettings, OnReview
from takeback.protocol import Action, Verdict

MAX_WAITING: Final = 200
"""Files that wait for a thread, at most; further ones are refused, so that nobody passes unchecked by a flood."""

_log = logging.getLogger(__name__)


class TakebackModule:
    """Asks about each file in a thread of its own pool, so that Synapse goes on with other requests meanwhile."""

    @staticmethod
    def parse_config(config: dict[str, Any]) -> ModuleSettings:
        """Returns the settings. Raises Synapse's `ConfigError`, which ends the start with its text."""
        try:
            settings = ModuleSettings.of(config)
            open_checker(settings.checker).close()
        except TakebackError as error:
            raise ConfigError(str(error)) from None  # Synapse would print the cause again
        except ModuleNotFoundError as error:
            raise ConfigError(f"{error.name} is missing: {how_to_install('gate')}") from None
        return settings

    def __init__(self, config: ModuleSettings, api: ModuleApi) -> None:
        self._settings = config
        self._api = api
        # Opened here again, because Synapse may have forked since it read its settings.
        self._checker = open_checker(config.checker)
        self._pool = ThreadPool(minthreads=0, maxthreads=config.threads, name="takeback")
        self._waiting = 0
        self._pool.start()
        reactor.addSystemEventTrigger("during", "shutdown", self._close)
        self._pool.callInThread(self._tell_trouble)
        api.register_spam_checker_callbacks(check_media_file_for_spam=self.check_media_file)

    async def check_media_file(self, file: ReadableFileWrapper, info: FileInfo) -> Any:
        """Returns `NOT_SPAM`, or `Codes.FORBIDDEN` for a file that is refused.

        Raises `SynapseError`, of which Synapse shows the text, if a file is not decided on: 413 if it is too large,
        503 if nobody can decide now.
        """
        if info.thumbnail is not None:
            return NOT_SPAM  # Synapse made it from a file that was checked
        if self._waiting >= self._settings.threads + MAX_WAITING:
            self._tell(logging.WARNING, info, "refused: too many files wait to be checked")
            raise _unavailable()
        self._waiting += 1
        try:
            found = await self._api.defer_to_threadpool(self._pool, self._check, Path(file.path))
        finally:
            self._waiting -= 1
        return self._large(info) if found is None else self._follow(found, info)

    def _check(self, path: Path) -> Checked | None:
        """Decides on a file in a thread; returns None if it is too large."""
        try:
            if path.stat().st_size > self._settings.max_megabytes << 20:
                return None
            return self._checker.check(path)
        except (OSError, PictureError) as error:  # Synapse's own file is gone, or cannot be read
            why = error.strerror if isinstance(error, OSError) else f"it {error}"
            return Checked(Action.REVIEW, is_checked=False, why=f"not checked: {why}")

    def _follow(self, found: Checked, info: FileInfo) -> Any:
        """Does what was decided."""
        if not found.is_checked:
            return self._unchecked(found, info)
        if found.action is Action.BLOCK:
            self._tell(logging.INFO, info, "refused: it is listed")
            if self._settings.report:
                self._pool.callInThread(self._report, found)
            return Codes.FORBIDDEN
        if found.action is Action.REVIEW:
            if self._settings.review is OnReview.HOLD:
                self._tell(logging.INFO, info, "refused: a person would have to look at it")
                return Codes.FORBIDDEN
            self._tell(logging.WARNING, info, "let through for review: a moderator should look at it")
        return NOT_SPAM

    def _unchecked(self, found: Checked, info: FileInfo) -> Any:
        if found.action is Action.ALLOW:
            self._tell(logging.WARNING, info, f"let through, {found.why}; a moderator should look at it")
            return NOT_SPAM
        self._tell(logging.WARNING, info, f"refused, {found.why}")
        raise _unavailable()

    def _large(self, info: FileInfo) -> Any:
        limit = f"larger than {self._settings.max_megabytes} MB"
        if self._settings.large is OnReview.PASS:
            self._tell(logging.WARNING, info, f"let through, not checked: {limit}; a moderator should look at it")
            return NOT_SPAM
        self._tell(logging.INFO, info, f"refused: {limit}")
        raise SynapseError(413, f"This file is {limit}.", Codes.TOO_LARGE)

    def _tell(self, level: int, info: FileInfo, text: str) -> None:
        """Logs what became of a file, with nothing of the request that brought it."""
        if info.server_name:
            name = f"file {info.file_id} of {info.server_name}"
        else:
            name = f"media mxc://{self._api.server_name}/{info.file_id}"
        with PreserveLoggingContext():
            _log.log(level, "%s: %s", name, text)

    def _report(self, found: Checked) -> None:
        try:
            self._checker.feedback(found, Verdict.BLOCKED)
        except TakebackError as error:
            _log.warning("a blocked upload was not reported to the registry: %s", error)

    def _tell_trouble(self) -> None:
        if text := self._checker.trouble():
            _log.warning("files cannot be checked yet: %s", text)

    def _close(self) -> None:
        self._pool.stop()
        self._checker.close()


def _unavailable() -> SynapseError:
    return SynapseError(503, "Files cannot be checked now, so none can be sent. Please try again later.")
