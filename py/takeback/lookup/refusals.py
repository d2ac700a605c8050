"""The errors of the look-up service that a site handles. They are not in `takeback.errors`, which browsers load too."""

from takeback.errors import GateError


class TooManyQuestions(GateError):
    """A question that a site may ask later: `retry_after` is in seconds.

    `code` is `quota` if the day's questions are used up, and `too-alike` if many were nearly alike.
    """

    def __init__(self, code: str, text: str, retry_after: int) -> None:
        super().__init__(text)
        self.code = code
        self.retry_after = retry_after


class LookUpAway(GateError):
    """The look-up service did not answer in time, or cannot decide now. The same question may be asked again."""

    code = "look-up-away"
