"""A case that grows and shrinks: pictures are added, one is withdrawn, and platforms follow."""

import json
from pathlib import Path
from typing import Final

import pytest

from takeback.gate import Gate
from takeback.protocol import NewCase, PictureKind, Verdict, decode
from tests.e2e import pictures
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import Platform, Registry, add_platform, running_registry, takeback
from tests.e2e.screens import GROWN_UP, Case, Start, way_to_review
from tests.words import ENGLISH

PLATFORMS: Final = "**/v1/platforms"


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
    person.unfold("Other ways to keep them")
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


def test_the_page_says_who_gets_the_fingerprints(person: PlaywrightHands, tmp_path: Path, picture: Path) -> None:
    """Before sending and on the case the platforms that agreed to be named are named, and the others are counted."""
    with running_registry(tmp_path / "data") as registry:
        review = way_to_review(person, registry.url, [picture])
        person.wait_for_text("No platform takes part here yet.")
        for name in ("photo-club", "quiet-site"):
            _add_follower(registry, name, tmp_path / name)
        published = takeback(
            "platform", "publish", "photo-club", "--as", "Photo Club", "--consent", "--data", registry.data
        )
        assert published.status == 0, published
        person.page.route(PLATFORMS, lambda route: route.abort())
        person.press("button", "Back")
        person.press("button", "Start page")
        review = way_to_review(person, registry.url, [picture])
        person.wait_for_text("We could not load the list of platforms just now.")
        person.page.unroute(PLATFORMS)
        person.press("button", "Back")
        person.press("button", "Continue")
        named = ENGLISH.fill("platforms.named", count=1, names="Photo Club")
        person.wait_for_text(named)
        person.wait_for_text("1 platform takes part that we may not name.")
        case = review.send().arrive().keep().see_case()
        assert named in case.text()
        asked = registry.recorder.to("GET", "/v1/platforms")
        assert all("takeback-pin" not in request.headers for request in asked)


def test_the_page_says_how_many_small_sites_check_uploads(
    person: PlaywrightHands, tmp_path: Path, picture: Path
) -> None:
    """Before sending and on the case one line counts the small sites, once and in place of their look-up service."""
    one, many = (ENGLISH.fill("platforms.sites", count=count) for count in (1, 12))
    with running_registry(tmp_path / "data") as registry:
        key = add_platform(registry, "hotline", "--lookup")
        Platform.start(registry, key, tmp_path / "hotline").sync()
        review = way_to_review(person, registry.url, [picture])
        person.wait_for_text("No platform takes part here yet.")
        assert "small site" not in review.text()
        _serve(tmp_path / "hotline", 12)
        person.press("button", "Back")
        person.press("button", "Start page")
        review = way_to_review(person, registry.url, [picture])
        person.wait_for_text(many)
        assert "No platform" not in review.text()
        case = review.send().arrive().keep().see_case()
        assert "No platform has picked up all the fingerprints yet." in case.text()
        assert "small site" not in case.text()
        _serve(tmp_path / "hotline", 12)
        case.refresh()
        person.wait_for_text(many)
        assert case.text().count(many) == case.text().count("small site") == 1
        assert "No platform has picked up" not in case.text()
        _serve(tmp_path / "hotline", 1)
        _add_follower(registry, "photo-club", tmp_path / "photo-club")
        case.refresh()
        person.wait_for_text(one)  # "Up to date" stands there from before
        assert ENGLISH.fill("case.platforms", count=1) in case.text()


def _add_follower(registry: Registry, name: str, home: Path) -> None:
    """A platform that has followed the feed to its end."""
    Platform.start(registry, add_platform(registry, name), home).sync()


def _serve(home: Path, sites: int) -> None:
    """Follows the feed as a look-up service that serves so many small sites."""
    with Gate.open(home) as gate:
        gate.sync(small_sites=sites)


@pytest.mark.browser_context_args(color_scheme="dark")
def test_the_receipt_prints_black_on_white_in_the_dark_too(
    person: PlaywrightHands, registry: Registry, picture: Path
) -> None:
    """On paper there are the number and the PIN and nothing else, whatever the colours of the screen."""
    way_to_review(person, registry.url, [picture]).send().arrive()
    person.page.emulate_media(media="print", color_scheme="dark")
    seen = person.page.locator("body *").filter(visible=True)
    texts = {text.strip() for text in seen.filter(has_not=person.page.locator("*")).all_inner_texts()} - {""}
    assert len(texts) == 4, texts  # two names, and what they are the names of
    for entry in person.page.locator(".ticket :is(dt, dd)").all():
        assert entry.evaluate("(one) => getComputedStyle(one).color") == "rgb(0, 0, 0)"
    for ground in ("html", "body", ".ticket"):
        colour = person.page.locator(ground).evaluate("(one) => getComputedStyle(one).backgroundColor")
        assert colour == "rgb(255, 255, 255)", ground


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
