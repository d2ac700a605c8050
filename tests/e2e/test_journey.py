"""The main job: a person sends hashes, a platform blocks the picture, the person sees that and takes it all back."""

import re
from pathlib import Path

from takeback.protocol import NewCase, Verdict, decode
from takeback.signals import SignalType
from tests.e2e import pictures
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import Platform, Registry
from tests.e2e.screens import UNDER_18, Case, Receipt, Start, way_to_review
from tests.e2e.traffic import complaints, leaks
from tests.words import Words

KINDS = ("jpg", "png", "webp")
STORED = """
(async () => ({
  cookie: document.cookie,
  local: localStorage.length,
  session: sessionStorage.length,
  databases: (await indexedDB.databases?.() ?? []).length,
  caches: (await caches.keys()).length,
  workers: (await navigator.serviceWorker?.getRegistrations() ?? []).length,
}))()
"""
NOTHING = {"cookie": "", "local": 0, "session": 0, "databases": 0, "caches": 0, "workers": 0}


def test_a_picture_is_blocked_until_its_owner_withdraws(
    hands: Hands, words: Words, registry: Registry, platform: Platform, folder: Path, seed: int
) -> None:
    """What a person sends stops copies of the picture at a platform until the person withdraws it."""
    files = [pictures.save(folder, seed + at, kind) for at, kind in enumerate(KINDS)]
    copies = [copy for file in files for copy in (pictures.resave(file, folder), pictures.halve(file, folder))]

    review = (
        Start.open(hands, registry.url, words)
        .wait_until_ready()
        .begin()
        .answer(UNDER_18)
        .choose(*files)
        .go_on()
        .wait_until_done(len(files))
        .go_on()
    )
    shown = review.message()
    secrets = review.lines()
    assert not registry.recorder.to("POST", "/")  # nothing is sent before the person says so
    receipt = review.send().arrive()
    number, pin = receipt.number(), receipt.pin()
    assert f"Takeback-Pin: {pin}" in secrets
    case = receipt.keep().see_case()
    assert words["case.active"] in case.text()
    case.close()

    platform.sync()
    decided = platform.check(*copies)
    assert [line.split()[0] for line in decided.out.splitlines()] == ["BLOCK"] * len(copies), decided
    assert decided.status == 1
    assert platform.check(pictures.save(folder, seed + 50, "jpg")).status == 0
    platform.report(copies[0], Verdict.BLOCKED)

    case = Start(hands, words).look_up().show(number, pin)
    assert words.fill("case.platforms", count=1) in case.text()
    blocked, _, after = words.fill("case.blocked", times=1, platforms=1, last="LAST").partition("LAST")
    assert re.search(f"{re.escape(blocked)}.+{re.escape(after)}", case.text())

    case = case.ask_to_withdraw().yes()
    assert words["case.withdrawn"] in case.text()
    platform.sync()
    decided = platform.check(*files, *copies)
    assert [line.split()[0] for line in decided.out.splitlines()] == ["ALLOW"] * 9, decided
    assert decided.status == 0
    _only_the_messages(hands, registry, shown.encode(), files)


def _only_the_messages(hands: Hands, registry: Registry, shown: bytes, files: list[Path]) -> None:
    """Nothing but the files of the page and the messages went over the wire, and nothing stayed in the browser."""
    requests = list(registry.recorder.requests)
    (sent,) = (request for request in requests if request.method == "POST" and request.path == "/v1/cases")
    assert sent.body == shown
    assert "takeback-work" in sent.headers
    kinds = [{signal.type for signal in picture.signals} for picture in decode(shown, NewCase).pictures]
    assert [kind & {SignalType.PDQ, SignalType.SHA256, SignalType.MD5} for kind in kinds] == [
        {SignalType.PDQ, SignalType.SHA256, SignalType.MD5}
    ] * len(files)
    assert complaints(requests, registry.files(), shown) == []
    assert leaks(requests, files, [pictures.SECRET_NAME, pictures.SECRET_WORDS]) == []
    assert registry.recorder.datagrams == []
    assert hands.run(STORED) == NOTHING
    if isinstance(hands, PlaywrightHands):
        assert hands.page.context.cookies() == []
        assert hands.watch.elsewhere == []
        assert hands.watch.faults == []
        assert hands.watch.broken_policies() == []


def test_every_kind_of_picture_is_hashed(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """A case takes each kind of picture that the page names, and one picture in two kinds makes two."""
    files = [pictures.save(folder, at, kind) for at, kind in enumerate(("jpg", "png", "webp", "gif", "bmp", "tif"))]
    hashing = Start.open(person, registry.url).begin().answer(UNDER_18).choose(*files).go_on()
    review = hashing.wait_until_done(len(files)).go_on()
    assert len(decode(review.message().encode(), NewCase).pictures) == len(files)


def test_an_adult_is_shown_other_help(person: PlaywrightHands, registry: Registry) -> None:
    """An adult pictured as an adult is led to StopNCII.org, in a new tab that knows nothing of this one."""
    Start.open(person, registry.url).begin().answer_adult()
    link = person.page.get_by_role("link", name="Go to StopNCII.org")
    assert (link.get_attribute("href") or "").startswith("https://stopncii.org")
    assert set((link.get_attribute("rel") or "").split()) == {"noopener", "noreferrer"}


def test_the_message_can_be_looked_up_with_loose_spelling(
    person: PlaywrightHands, registry: Registry, picture: Path
) -> None:
    """A case is found when its number has no spaces and its PIN is written small and without dashes."""
    receipt = _send(person, registry, picture)
    number, pin = receipt.number(), receipt.pin()
    start = receipt.keep().finish()
    start.look_up().type(number.replace(" ", ""), pin.lower().replace("-", ""))
    assert "Blocking is on" in Case(person, number).text()


def test_a_wrong_pin_and_an_unknown_number_look_alike(
    person: PlaywrightHands, registry: Registry, picture: Path
) -> None:
    """Neither a wrong PIN nor a number that there is not tells whether the other half was right."""
    receipt = _send(person, registry, picture)
    number, pin = receipt.number(), receipt.pin()
    look_up = receipt.keep().finish().look_up()
    for tried_number, tried_pin in ((number, "2222-2222-2222"), ("000 000 0000", pin)):
        look_up.type(tried_number, tried_pin)
        person.wait_for_text("We found no case with this number and PIN. Please check both.")
    answers = [request.answer for request in registry.recorder.to("GET", "/v1/cases/")]
    assert len({(answer.status, answer.body) for answer in answers if answer}) == 1


def test_the_receipt_is_saved_without_saying_what_it_is(
    person: PlaywrightHands, registry: Registry, picture: Path
) -> None:
    """The saved file holds number and PIN, and neither its name nor its words say what they are for."""
    receipt = _send(person, registry, picture)
    with person.page.expect_download() as saving:
        person.press("button", "Save them")
    text = saving.value.path().read_text()
    assert receipt.number() in text
    assert receipt.pin() in text
    assert "takeback" not in (saving.value.suggested_filename + text).lower()


def _send(person: PlaywrightHands, registry: Registry, picture: Path) -> Receipt:
    """A case with one picture."""
    return way_to_review(person, registry.url, [picture]).send().arrive()
