"""The page's screens, as a person knows them: what each is called, what can be done there, and where that leads.

A test says `Start.open(hands, url).begin().answer(UNDER_18)`, and reads like what the person did. Every sentence stands
here by its key in `web/words/`, so that a journey runs in any language: `Start.open(hands, url, LANGUAGES["es"])`.
To test a new screen, add a class with the key of its heading and one method for each thing that can be done on it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self, override

from tests.e2e.hands import Hands
from tests.words import ENGLISH, Words

UNDER_18: Final = "age.now"
GROWN_UP: Final = "age.then"
PARENT: Final = "age.child"
HELPER: Final = "age.helper"
NOT_POSTED: Final = "where.private"
ADULT: Final = "age.adult"

_NUMBER: Final = re.compile(r"\b\d{3}\s\d{3}\s\d{4}\b")
_PIN: Final = re.compile(r"\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b")


class Screen:
    """A screen is there when its heading is; `heading` is the key of it."""

    heading: str

    def __init__(self, hands: Hands, words: Words = ENGLISH) -> None:
        self.hands = hands
        self.words = words
        self.wait()

    def title(self) -> str:
        """The words of the heading."""
        return self.words[self.heading]

    def wait(self) -> None:
        """Wait until this screen is there."""
        self.hands.wait_for("heading", self.title())

    def press(self, key: str) -> None:
        """Press the button with these words."""
        self.hands.press("button", self.words[key])

    def text(self) -> str:
        """The words on the screen."""
        return self.hands.text()


class Start(Screen):
    """What this is, and what leaves the device."""

    heading = "start.title"

    @classmethod
    def open(cls, hands: Hands, url: str, words: Words = ENGLISH) -> Self:
        """Come to the page with a browser that asks for the language of `words`."""
        hands.open(url)
        return cls(hands, words)

    def wait_until_ready(self) -> Self:
        """Wait until the runtime is there."""
        self.hands.wait_for_text(self.words["ready.ready"])
        return self

    def begin(self) -> "Age":
        """Start."""
        self.press("start.begin")
        return Age(self.hands, self.words)

    def look_up(self) -> "LookUp":
        """Go to look up a case."""
        self.press("start.lookup")
        return LookUp(self.hands, self.words)

    def keep_program(self) -> Self:
        """Have the program kept on the device, having read what that means."""
        self.hands.unfold(self.words["keep.title"])
        self.hands.wait_for_text(self.words["keep.trace"])
        self.press("keep.on")
        self.hands.wait_for_text(self.words["keep.is-on"])
        return self

    def drop_program(self) -> Self:
        """Take the program off the device."""
        self.hands.unfold(self.words["keep.title"])
        self.press("keep.off")
        self.hands.wait_for_text(self.words["keep.is-off"])
        return self


class Age(Screen):
    """Whose picture it is."""

    heading = "age.title"

    def answer(self, band: str) -> "Pictures":
        """Answer with one of the bands for pictures of a child, and that the picture is not posted."""
        return self.say(band).answer(NOT_POSTED)

    def say(self, band: str) -> "Where":
        """Answer with one of the bands for pictures of a child."""
        self.press(band)
        return Where(self.hands, self.words)

    def answer_adult(self) -> "Adult":
        """Answer that it is a picture of an adult."""
        self.press(ADULT)
        return Adult(self.hands, self.words)


class Where(Screen):
    """Where the picture is."""

    heading = "where.title"

    def answer(self, place: str) -> "Pictures":
        """Answer with what leads to choosing pictures."""
        self.press(place)
        return Pictures(self.hands, self.words)

    def threatened(self) -> "Urgent":
        """Answer that someone threatens to share it."""
        self.press("where.threat")
        return Urgent(self.hands, self.words)

    def posted(self) -> "Posted":
        """Answer that it is posted."""
        self.press("where.posted")
        return Posted(self.hands, self.words)

    def without_file(self) -> "NoFile":
        """Answer that only someone else has it."""
        self.press("where.nofile")
        return NoFile(self.hands, self.words)


class Adult(Screen):
    """Where adults find help."""

    heading = "adult.title"


class Pictures(Screen):
    """Choosing pictures."""

    heading = "pictures.title"

    def choose(self, *files: Path) -> Self:
        """Pick these files."""
        self.hands.choose(files)
        return self

    def go_on(self) -> "Hashing":
        """Have them hashed."""
        self.press("pictures.continue")
        return Hashing(self.hands, self.words)

    def without_file(self) -> "NoFile":
        """Say that there is no file."""
        self.press("pictures.nofile")
        return NoFile(self.hands, self.words)


class NoFile(Screen):
    """What can be done without a file."""

    heading = "nofile.title"


class Urgent(Screen):
    """Threats: the next ten minutes."""

    heading = "urgent.title"


class HelpLines(Screen):
    """Help lines by country."""

    heading = "lines.title"


class Posted(Screen):
    """What helps when a picture is online."""

    heading = "posted.title"

    def guide(self, name: str) -> "Guide":
        """How to report it on one platform."""
        self.hands.press("button", name)
        return Guide(self.hands, name, self.words)

    def write_notice(self) -> "Notice":
        """Write a notice under the 48-hour rule."""
        self.press("posted.law-start")
        return Notice(self.hands, self.words)


class Guide(Screen):
    """How to report a picture to one platform."""

    heading = "platform.title"

    def __init__(self, hands: Hands, name: str, words: Words = ENGLISH) -> None:
        self.name = name
        super().__init__(hands, words)

    @override
    def title(self) -> str:
        return self.words.fill(self.heading, name=self.name)


class Notice(Screen):
    """The questions of a notice under 47 U.S.C. 223a."""

    heading = "notice.title"

    def make(self) -> Self:
        """Ask for the notice."""
        self.press("notice.make")
        return self

    def tick(self, words: str) -> Self:
        """Tick a box."""
        self.hands.press("checkbox", words)
        return self

    def write(self, label: str, text: str) -> Self:
        """Fill a field."""
        self.hands.write(label, text)
        return self

    def letters(self) -> "Letters":
        """The notices, ready."""
        return Letters(self.hands, self.words)


class Letters:
    """The notices, ready to be sent by the person."""

    def __init__(self, hands: Hands, words: Words = ENGLISH) -> None:
        self.hands = hands
        self.words = words
        hands.wait_for_text(words["letter.lead"])

    def text(self, platform: str) -> str:
        """The notice for a platform, letter for letter."""
        return self.hands.region(self.words.fill("letter.for", name=platform))


class Hashing(Screen):
    """The pictures are being hashed."""

    heading = "hashing.title"

    @override
    def wait(self) -> None:
        """Wait until this screen is there, or has been: where nothing is to be said it ends by itself."""
        self.hands.wait_for_any(self.title(), self.words["review.title"])

    def wait_until_done(self, ready: int, missed: int = 0) -> Self:
        """Wait until so many pictures are ready and so many could not be read; if all is well, the message comes up."""
        finished, lead = (self.words.fill(key, count=ready) for key in ("hashing.finished", "review.lead"))
        self.hands.wait_for_any(finished, lead)
        if missed:
            self.hands.wait_for_text(self.words.fill("hashing.missed", count=missed))
        return self

    def stop(self) -> Self:
        """Stop."""
        self.press("hashing.stop")
        self.hands.wait_for_text(self.words["hashing.stopped"])
        return self

    def resume(self) -> Self:
        """Go on after a stop."""
        self.press("hashing.resume")
        return self

    def back(self) -> Pictures:
        """Go back to the list."""
        self.press("hashing.change")
        return Pictures(self.hands, self.words)

    def go_on(self) -> "Review":
        """See what would be sent: at once, unless there is something to say of a picture."""
        if self.words["review.title"] not in self.text():
            self.press("hashing.continue")
        return Review(self.hands, self.words)


class Review(Screen):
    """All that is sent, shown before it is sent."""

    heading = "review.title"

    def message(self) -> str:
        """The exact message."""
        self.hands.unfold(self.words["review.see"])
        return self.hands.region(self.words["review.body"])

    def lines(self) -> str:
        """The lines that go with the message; `message` has unfolded them."""
        return self.hands.region(self.words["review.headers"])

    def send(self) -> "Sending":
        """Send it."""
        self.press("review.send")
        return Sending(self.hands, self.words)


class Sending:
    """The message is under way; this screen may be over before anyone sees it."""

    def __init__(self, hands: Hands, words: Words = ENGLISH) -> None:
        self.hands = hands
        self.words = words

    def try_now(self) -> Self:
        """Try again now."""
        self.hands.press("button", self.words["sending.again"])
        return self

    def arrive(self) -> "Receipt":
        """Wait for the receipt."""
        return Receipt(self.hands, self.words)


class Receipt(Screen):
    """Case number and PIN."""

    heading = "receipt.title"

    def number(self) -> str:
        """The case number, in groups."""
        return _only(_NUMBER, self.text())

    def pin(self) -> str:
        """The PIN."""
        return _only(_PIN, self.text())

    def keep(self) -> Self:
        """Tick that both are kept."""
        self.hands.press("checkbox", self.words["receipt.kept"])
        return self

    def see_case(self) -> "Case":
        """See the case."""
        number = self.number()
        self.press("receipt.case")
        return Case(self.hands, number, self.words)

    def finish(self) -> Start:
        """Finish and clear the page."""
        self.press("receipt.finish")
        return Start(self.hands, self.words)


class LookUp(Screen):
    """Looking up a case."""

    heading = "lookup.title"

    def type(self, number: str, pin: str) -> Self:
        """Type both and ask for the case."""
        self.hands.write(self.words["lookup.number"], number)
        self.hands.write(self.words["lookup.pin"], pin)
        self.press("lookup.show")
        return self

    def show(self, number: str, pin: str) -> "Case":
        """Look up a case that there is."""
        self.type(number, pin)
        return Case(self.hands, number, self.words)


class Case(Screen):
    """How a case stands."""

    heading = "case.title"

    def __init__(self, hands: Hands, number: str, words: Words = ENGLISH) -> None:
        self.number = number
        super().__init__(hands, words)

    @override
    def title(self) -> str:
        return self.words.fill(self.heading, number=self.number)

    def refresh(self) -> Self:
        """Ask how it stands now."""
        self.press("case.refresh")
        self.hands.wait_for_text(self.words.part("case.refreshed"))
        return self

    def add(self) -> Pictures:
        """Go to add pictures."""
        self.press("case.add")
        return Adding(self.hands, self.words)

    def ask_to_withdraw_one(self, picture: int) -> "WithdrawOne":
        """Go to withdraw one picture, counted from 1."""
        self.hands.press("button", self.words.fill("case.withdraw-one-label", number=picture))
        return WithdrawOne(self.hands, self.number, picture, self.words)

    def ask_to_withdraw(self) -> "Withdraw":
        """Go to withdraw it."""
        self.press("case.withdraw")
        return Withdraw(self.hands, self.number, self.words)

    def close(self) -> Start:
        """Close and clear the page."""
        self.press("case.close")
        return Start(self.hands, self.words)


class Withdraw(Screen):
    """The last question before a case is withdrawn."""

    heading = "withdraw.title"

    def __init__(self, hands: Hands, number: str, words: Words = ENGLISH) -> None:
        self.number = number
        super().__init__(hands, words)

    def yes(self) -> Case:
        """Withdraw it."""
        self.press("withdraw.yes")
        self.hands.wait_for_text(self.words["withdraw.done"])
        return Case(self.hands, self.number, self.words)


class Adding(Pictures):
    """Choosing pictures for a case that there is."""

    heading = "pictures.title-add"


class WithdrawOne(Screen):
    """The last question before one picture is withdrawn."""

    heading = "withdraw.title-one"

    def __init__(self, hands: Hands, number: str, picture: int, words: Words = ENGLISH) -> None:
        self.number = number
        self.picture = picture
        super().__init__(hands, words)

    @override
    def title(self) -> str:
        return self.words.fill(self.heading, number=self.picture)

    def yes(self) -> Case:
        """Withdraw it."""
        self.press("withdraw.yes")
        self.hands.wait_for_text(self.words.fill("withdraw.done-one", number=self.picture))
        return Case(self.hands, self.number, self.words)


def _only(pattern: re.Pattern[str], text: str) -> str:
    """The one place where the pattern is found."""
    found = set(pattern.findall(text))
    assert len(found) == 1, text
    return str(found.pop())


def way_to_review(hands: Hands, url: str, files: Sequence[Path], missed: int = 0, words: Words = ENGLISH) -> Review:
    """The way from the first screen to the message, with files of which `missed` cannot be read."""
    hashing = Start.open(hands, url, words).begin().answer(UNDER_18).choose(*files).go_on()
    return hashing.wait_until_done(len(files) - missed, missed).go_on()
