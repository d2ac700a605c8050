"""A walk over the screens of the page, for tests that look at every one of them in the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.e2e.hands import PlaywrightHands
from tests.e2e.screens import NOT_POSTED, UNDER_18, Case, Receipt, Start, way_to_review

ASIDES: Final = (
    ("Someone is threatening me", "If someone is threatening you"),
    ("It is already posted", "If it is already posted"),
    ("Help lines", "Help lines"),
    ("Questions and answers", "Questions and answers"),
    ("How it works", "How it works, and how to check us"),
    ("Look up your case", "Look up your case"),
)


def tour(page: PlaywrightHands, url: str, picture: Path, look: Callable[[], None]) -> None:
    """Go from the first screen to a withdrawn case, with what stands beside the way, and look at each screen once."""
    Start.open(page, url)
    look()
    for button, heading in ASIDES:
        page.page.get_by_role("navigation", name="More help").get_by_role("button", name=button).click()
        page.wait_for("heading", heading)
        if page.page.get_by_label("Your country").count():
            page.select("Your country", "Canada")
        look()
    where = Start.open(page, url).begin().say(UNDER_18)
    look()
    where.posted().guide("Discord")
    look()
    page.press("button", "Write a notice")
    page.press("button", "Make the notice")
    page.wait_for_text("6 things are missing.")
    look()
    Start.open(page, url).begin().say(UNDER_18).answer(NOT_POSTED)
    look()
    review = way_to_review(page, url, [picture])
    look()
    receipt: Receipt = review.send().arrive()
    look()
    case: Case = receipt.keep().see_case()
    look()
    case.ask_to_withdraw()
    look()
