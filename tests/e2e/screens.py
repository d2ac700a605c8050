"""The page's screens, as a person knows them: what each is called, what can be done there, and where that leads.

A test says `Start.open(hands, url).begin().answer(UNDER_18)`, and reads like what the person did. To test a new
screen, add a class with its heading and one method for each thing that can be done on it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from tests.e2e.hands import Hands

UNDER_18: Final = "Me. I am under 18."
GROWN_UP: Final = "Me. I was under 18 in the picture, and I am older now."
PARENT: Final = "My child. I am a parent or guardian."
NOT_POSTED: Final = "It is not posted, as far as I know."
ADULT: Final = "Me. I was 18 or over in the picture."

_NUMBER: Final = re.compile(r"\b\d{3}\s\d{3}\s\d{4}\b")
_PIN: Final = re.compile(r"\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b")


class Screen:
    """A screen is there when its heading is."""

    heading: str

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        self.wait()

    def wait(self) -> None:
        """Wait until this screen is there."""
        self.hands.wait_for("heading", self.heading)

    def text(self) -> str:
        """The words on the screen."""
        return self.hands.text()


class Start(Screen):
    """What this is, and what leaves the device."""

    heading = "Stop a picture from spreading"

    @classmethod
    def open(cls, hands: Hands, url: str) -> Self:
        """Come to the page."""
        hands.open(url)
        return cls(hands)

    def wait_until_ready(self) -> Self:
        """Wait until the runtime is there."""
        self.hands.wait_for_text("Your device is ready.")
        return self

    def begin(self) -> "Age":
        """Start."""
        self.hands.press("button", "Start")
        return Age(self.hands)

    def look_up(self) -> "LookUp":
        """Go to look up a case."""
        self.hands.press("button", "I have a case number")
        return LookUp(self.hands)

    def keep_program(self) -> Self:
        """Have the program kept on the device, having read what that means."""
        self.hands.unfold("Make the next visit faster")
        self.hands.wait_for_text("It leaves a trace.")
        self.hands.press("button", "Keep the program on this device")
        self.hands.wait_for_text("The program is now kept on this device.")
        return self

    def drop_program(self) -> Self:
        """Take the program off the device."""
        self.hands.unfold("Make the next visit faster")
        self.hands.press("button", "Remove it from this device")
        self.hands.wait_for_text("The program is no longer kept on this device.")
        return self


class Age(Screen):
    """Whose picture it is."""

    heading = "Who is in the picture?"

    def answer(self, words: str) -> "Pictures":
        """Answer with one of the bands for pictures of a child, and that the picture is not posted."""
        return self.say(words).answer(NOT_POSTED)

    def say(self, words: str) -> "Where":
        """Answer with one of the bands for pictures of a child."""
        self.hands.press("button", words)
        return Where(self.hands)

    def answer_adult(self) -> "Adult":
        """Answer that it is a picture of an adult."""
        self.hands.press("button", ADULT)
        return Adult(self.hands)


class Where(Screen):
    """Where the picture is."""

    heading = "Where is the picture?"

    def answer(self, words: str) -> "Pictures":
        """Answer with what leads to choosing pictures."""
        self.hands.press("button", words)
        return Pictures(self.hands)

    def threatened(self) -> "Urgent":
        """Answer that someone threatens to share it."""
        self.hands.press("button", "Someone says they will share it.")
        return Urgent(self.hands)

    def posted(self) -> "Posted":
        """Answer that it is posted."""
        self.hands.press("button", "It is posted somewhere.")
        return Posted(self.hands)

    def without_file(self) -> "NoFile":
        """Answer that only someone else has it."""
        self.hands.press("button", "Only someone else has it. I do not have the file.")
        return NoFile(self.hands)


class Adult(Screen):
    """Where adults find help."""

    heading = "There is help for you too"


class Pictures(Screen):
    """Choosing pictures."""

    heading = "Choose the pictures"

    def choose(self, *files: Path) -> Self:
        """Pick these files."""
        self.hands.choose(files)
        return self

    def go_on(self) -> "Hashing":
        """Have them hashed."""
        self.hands.press("button", "Continue")
        return Hashing(self.hands)

    def without_file(self) -> "NoFile":
        """Say that there is no file."""
        self.hands.press("button", "I do not have the file")
        return NoFile(self.hands)


class NoFile(Screen):
    """What can be done without a file."""

    heading = "No file? There is still a lot you can do"


class Urgent(Screen):
    """Threats: the next ten minutes."""

    heading = "If someone is threatening you"


class HelpLines(Screen):
    """Help lines by country."""

    heading = "Help lines"


class Posted(Screen):
    """What helps when a picture is online."""

    heading = "If it is already posted"

    def guide(self, name: str) -> "Guide":
        """How to report it on one platform."""
        self.hands.press("button", name)
        return Guide(self.hands, f"Report it to {name}")

    def write_notice(self) -> "Notice":
        """Write a notice under the 48-hour rule."""
        self.hands.press("button", "Write a notice")
        return Notice(self.hands)


class Guide(Screen):
    """How to report a picture to one platform."""

    def __init__(self, hands: Hands, heading: str) -> None:
        self.heading = heading
        super().__init__(hands)


class Notice(Screen):
    """The questions of a notice under 47 U.S.C. 223a."""

    heading = "Write a notice under the 48-hour rule"

    def make(self) -> Self:
        """Ask for the notice."""
        self.hands.press("button", "Make the notice")
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
        return Letters(self.hands)


class Letters:
    """The notices, ready to be sent by the person."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        hands.wait_for_text("Send each one to its platform.")

    def text(self, platform: str) -> str:
        """The notice for a platform, letter for letter."""
        return self.hands.region(f"The notice for {platform}")


class Hashing(Screen):
    """The pictures are being hashed."""

    heading = "Making the hashes"

    def wait_until_done(self, ready: int, missed: int = 0) -> Self:
        """Wait until so many pictures are ready and so many could not be read."""
        self.hands.wait_for_text(f"{_pictures(ready)} ready to send.")
        if missed:
            self.hands.wait_for_text("could not be read. You can go on without")
        return self

    def stop(self) -> Self:
        """Stop."""
        self.hands.press("button", "Stop")
        self.hands.wait_for_text("You stopped. Nothing was sent.")
        return self

    def resume(self) -> Self:
        """Go on after a stop."""
        self.hands.press("button", "Go on")
        return self

    def back(self) -> Pictures:
        """Go back to the list."""
        self.hands.press("button", "Back to the list")
        return Pictures(self.hands)

    def go_on(self) -> "Review":
        """See what would be sent."""
        self.hands.press("button", "Continue")
        return Review(self.hands)


class Review(Screen):
    """All that is sent, shown before it is sent."""

    heading = "This is all we send"

    def message(self) -> str:
        """The exact message."""
        self.hands.unfold("See the exact message")
        return self.hands.region("The message, letter for letter:")

    def lines(self) -> str:
        """The lines that go with the message; `message` has unfolded them."""
        return self.hands.region("The lines that go with it:")

    def send(self) -> "Sending":
        """Send it."""
        self.hands.press("button", "Send the hashes")
        return Sending(self.hands)


class Sending:
    """The message is under way; this screen may be over before anyone sees it."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands

    def try_now(self) -> Self:
        """Try again now."""
        self.hands.press("button", "Try now")
        return self

    def arrive(self) -> "Receipt":
        """Wait for the receipt."""
        return Receipt(self.hands)


class Receipt(Screen):
    """Case number and PIN."""

    heading = "Done. We have your hashes"

    def number(self) -> str:
        """The case number, in groups."""
        return _only(_NUMBER, self.text())

    def pin(self) -> str:
        """The PIN."""
        return _only(_PIN, self.text())

    def keep(self) -> Self:
        """Tick that both are kept."""
        self.hands.press("checkbox", "I have kept my case number and my PIN")
        return self

    def see_case(self) -> "Case":
        """See the case."""
        number = self.number()
        self.hands.press("button", "See my case")
        return Case(self.hands, number)

    def finish(self) -> Start:
        """Finish and clear the page."""
        self.hands.press("button", "Finish and clear this page")
        return Start(self.hands)


class LookUp(Screen):
    """Looking up a case."""

    heading = "Look up your case"

    def type(self, number: str, pin: str) -> Self:
        """Type both and ask for the case."""
        self.hands.write("Case number", number)
        self.hands.write("PIN", pin)
        self.hands.press("button", "Show my case")
        return self

    def show(self, number: str, pin: str) -> "Case":
        """Look up a case that there is."""
        self.type(number, pin)
        return Case(self.hands, number)


class Case(Screen):
    """How a case stands."""

    def __init__(self, hands: Hands, number: str) -> None:
        self.number = number
        self.heading = f"Case {number}"
        super().__init__(hands)

    def refresh(self) -> Self:
        """Ask how it stands now."""
        self.hands.press("button", "Refresh")
        self.hands.wait_for_text("Up to date,")
        return self

    def add(self) -> Pictures:
        """Go to add pictures."""
        self.hands.press("button", "Add pictures")
        return Adding(self.hands)

    def ask_to_withdraw_one(self, picture: int) -> "WithdrawOne":
        """Go to withdraw one picture, counted from 1."""
        self.hands.press("button", f"Withdraw picture {picture}")
        return WithdrawOne(self.hands, self.number, picture)

    def ask_to_withdraw(self) -> "Withdraw":
        """Go to withdraw it."""
        self.hands.press("button", "Withdraw this case")
        return Withdraw(self.hands, self.number)

    def close(self) -> Start:
        """Close and clear the page."""
        self.hands.press("button", "Close and clear this page")
        return Start(self.hands)


class Withdraw(Screen):
    """The last question before a case is withdrawn."""

    heading = "Withdraw this case?"

    def __init__(self, hands: Hands, number: str) -> None:
        self.number = number
        super().__init__(hands)

    def yes(self) -> Case:
        """Withdraw it."""
        self.hands.press("button", "Yes, withdraw it")
        self.hands.wait_for_text("Your case is withdrawn.")
        return Case(self.hands, self.number)


class Adding(Pictures):
    """Choosing pictures for a case that there is."""

    heading = "Add pictures to your case"


class WithdrawOne(Screen):
    """The last question before one picture is withdrawn."""

    def __init__(self, hands: Hands, number: str, picture: int) -> None:
        self.number = number
        self.picture = picture
        self.heading = f"Withdraw picture {picture}?"
        super().__init__(hands)

    def yes(self) -> Case:
        """Withdraw it."""
        self.hands.press("button", "Yes, withdraw it")
        self.hands.wait_for_text(f"Picture {self.picture} is withdrawn.")
        return Case(self.hands, self.number)


def _pictures(count: int) -> str:
    return "1 picture is" if count == 1 else f"{count} pictures are"


def _only(pattern: re.Pattern[str], text: str) -> str:
    """The one place where the pattern is found."""
    found = set(pattern.findall(text))
    assert len(found) == 1, text
    return str(found.pop())


def way_to_review(hands: Hands, url: str, files: Sequence[Path], missed: int = 0) -> Review:
    """The way from the first screen to the message, with files of which `missed` cannot be read."""
    hashing = Start.open(hands, url).begin().answer(UNDER_18).choose(*files).go_on()
    return hashing.wait_until_done(len(files) - missed, missed).go_on()
