"""A case that grows and shrinks: pictures are added, one is withdrawn, and platforms follow."""

import json
from pathlib import Path

from takeback.protocol import NewCase, PictureKind, Verdict, decode
from tests.e2e import pictures
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import Platform, Registry
from tests.e2e.screens import GROWN_UP, Case, Start, way_to_review


def _case(hands: Hands, registry: Registry, files: list[Path]) -> Case:
    return way_to_review(hands, registry.url, files).send().arrive().keep().see_case()


def _decided(platform: Platform, *uploads: Path) -> list[str]:
    platform.sync()
    return [line.split()[0] for line in platform.check(*uploads).out.splitlines()]


def test_a_picture_is_added_and_one_is_withdrawn(
    engine: Hands, registry: Registry, platform: Platform, folder: Path, seed: int
) -> None:
    """An added picture is blocked too; withdrawing one of two lets that one through and keeps the other blocked."""
    first, second = (pictures.save(folder, seed + at, "jpg") for at in range(2))
    case = _case(engine, registry, [first])
    review = case.add().choose(second).go_on().wait_until_done(1).go_on()
    shown = review.message()
    assert "The pictures join your case." in review.text()
    review.send()
    engine.wait_for_text("1 picture was added to your case.")
    case = Case(engine, case.number)
    assert "Picture 2" in case.text()
    (sent,) = registry.recorder.to("POST", f"/v1/cases/{case.number.replace(chr(160), '').replace(' ', '')}/pictures")
    assert sent.body == shown.encode()
    assert _decided(platform, first, second) == ["BLOCK", "BLOCK"]

    case = case.ask_to_withdraw_one(1).yes()
    assert "You stopped blocking this picture." in case.text()
    assert "Blocking is on" in case.text()
    assert _decided(platform, first, second) == ["ALLOW", "BLOCK"]


def test_what_the_person_says_of_the_pictures_is_shown_and_sent(
    person: PlaywrightHands, registry: Registry, folder: Path
) -> None:
    """That AI made them and that the person is older now is told before it is sent, and stands in the message."""
    chosen = Start.open(person, registry.url).begin().answer(GROWN_UP).choose(pictures.save(folder, 77, "png"))
    person.press("checkbox", "They are fake. They were made or changed with AI.")
    review = chosen.go_on().wait_until_done(1).go_on()
    assert "The message also says that you are 18 or older now." in review.text()
    assert "The message also says that AI made or changed the pictures." in review.text()
    message = decode(review.message().encode(), NewCase)
    assert message.age_band == "was_minor"
    assert [(picture.ai_made, picture.kind) for picture in message.pictures] == [(True, PictureKind.IMAGE)]
    assert "Blocking is on" in review.send().arrive().keep().see_case().text()
    plain = json.loads(way_to_review(person, registry.url, [pictures.save(folder, 78, "png")]).message())
    assert set(plain) == {"pictures"}
    assert set(plain["pictures"][0]) == {"signals"}


def test_a_withdrawn_case_takes_no_more(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """Once a case is withdrawn it offers neither more pictures nor another withdrawal."""
    case = _case(person, registry, [picture]).ask_to_withdraw().yes()
    assert "You stopped the blocking" in case.text()
    for name in ("Add pictures", "Stop blocking all", "Stop blocking picture 1"):
        assert person.page.get_by_role("button", name=name, exact=True).count() == 0


def test_a_case_that_closed_meanwhile_says_so(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """A picture for a case that was withdrawn elsewhere in the meantime is refused with a sentence that helps."""
    case = _case(person, registry, [pictures.save(folder, 81, "png")])
    pin = registry.recorder.to("POST", "/v1/cases")[-1].headers["takeback-pin"]
    review = case.add().choose(pictures.save(folder, 82, "png")).go_on().wait_until_done(1).go_on()
    number = case.number.replace("\u00a0", "").replace(" ", "")
    ask = f"fetch('/v1/cases/{number}/withdraw', {{ method: 'POST', headers: {{ 'Takeback-Pin': '{pin}' }} }})"
    assert person.run(f"{ask}.then((answer) => answer.status)") == 200
    review.send()
    person.wait_for_text("This case takes no more pictures. You can start a new one.")


def test_the_receipt_can_be_taken_along(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """The picture of the receipt and its QR code are made on the device, and no name says what they are."""
    receipt = way_to_review(person, registry.url, [picture]).send().arrive()
    before = len(registry.recorder.requests)
    with person.page.expect_download() as saving:
        person.press("button", "Save as a picture")
    assert saving.value.suggested_filename == "notes.png"
    assert saving.value.path().read_bytes().startswith(b"\x89PNG")
    person.unfold("Show a QR code")
    person.page.get_by_role("img", name="A QR code with your case number and your PIN").wait_for()
    person.unfold("Show me how to hide this")
    person.wait_for_text("Write both on paper, with no other words.")
    assert registry.recorder.requests[before:] == []
    receipt.keep().finish()


def test_a_long_list_is_folded_under_what_became_of_it(
    person: PlaywrightHands, registry: Registry, platform: Platform, folder: Path, seed: int
) -> None:
    """With many pictures a case says in one sentence what platforms did, and unfolds each picture on request."""
    files = [pictures.save(folder, seed + at, "png", (160, 120)) for at in range(9)]
    case = _case(person, registry, files)
    assert "No platform has told us of a block so far." in case.text()
    assert "What happens next" in case.text()
    unfolded = person.page.get_by_text("Picture 9", exact=True)
    assert not unfolded.is_visible()
    person.unfold("Your pictures")
    unfolded.wait_for()
    platform.sync()
    for file in files[:2]:
        platform.report(file, Verdict.BLOCKED)
    case.refresh()
    assert "Platforms have blocked 2 uploads of these pictures so far." in case.text()
