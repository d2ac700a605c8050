"""What a person did stays as it was, whatever they look at meanwhile and whatever happens to the network."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Route

from tests.e2e import pictures
from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import (
    UNDER_18,
    Guide,
    Notice,
    Pictures,
    Start,
    Urgent,
    Where,
    way_to_review,
)
from tests.e2e.test_leaving import HARMLESS, serve_weather
from tests.words import ENGLISH, LANGUAGES

CASES = "/v1/cases"
BEFORE = "/notices.txt"
"""Where the person was before they came to the page."""
RETURN = "Back to where you were"
HELP = "Help now"
REDDIT = "Reddit"
STOPPED = "You stopped. Nothing was sent."
STOPPED_SENDING = "It may be that we already have the message."

_DROP = """
(() => {
  const transfer = new DataTransfer();
  transfer.items.add(new File(["x"], "secret.png", { type: "image/png" }));
  const options = { bubbles: true, cancelable: true, dataTransfer: transfer };
  return ["dragover", "drop"].map((type) => !document.body.dispatchEvent(new DragEvent(type, options)));
})()
"""
"""Drops a file on the page; whether the page kept the browser from opening it."""

_ANOTHER_PHONE = """
delete globalThis.CloseWatcher;
const ask = globalThis.matchMedia.bind(globalThis);
globalThis.matchMedia = (query) => (query === "(pointer: coarse)" ? { matches: true } : ask(query));
"""
"""Touch, and no `CloseWatcher`, as on phones that are not Android's."""
_STEP = """
new Promise((done) => {
  addEventListener("popstate", () => done(true), { once: true });
  history.go(%d);
})
"""
"""Back and Forward as the browser's buttons do them within one page; the driver of Firefox would wait for a load."""
_BACK = _STEP % -1
_FORWARD = _STEP % 1

_FIRST_PICTURE_HANGS = """
globalThis.Worker = class extends Worker {
  postMessage(message, ...more) {
    if (message.kind !== "hash" || message.id !== 1) return super.postMessage(message, ...more);
  }
};
"""
"""The worker never answers for the first picture, as if its decoder hung."""


def _big(folder: Path, count: int) -> list[Path]:
    """Pictures that take a while."""
    return [pictures.save(folder, seed, "jpg", (4000, 3000)) for seed in range(count)]


def _look_elsewhere(person: PlaywrightHands) -> None:
    """Help, and back; another language, and back."""
    person.press("button", HELP)
    Urgent(person)
    person.press("button", RETURN)
    _speak(person, "Deutsch", "de")
    _speak(person, "English", "en")


def _speak(person: PlaywrightHands, name: str, code: str) -> None:
    person.page.locator("#language").select_option(label=name)
    person.page.wait_for_function(f"() => document.documentElement.lang === '{code}'")


def _hold(held: list[Route]) -> Callable[[Route], None]:
    """Keeps requests from going on."""

    def keep(route: Route) -> None:
        held.append(route)

    return keep


def _wait_for_answer(person: PlaywrightHands, path: str) -> None:
    """Wait until the page has the answer to a request."""
    whole = f"({{ name, responseEnd }}) => name.includes('{path}') && responseEnd"
    person.page.wait_for_function(f"() => performance.getEntriesByType('resource').some({whole})")


def test_stopping_without_a_network_is_not_the_end(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """A worker that could not be replaced without a network is started when it is back; nothing is lost."""
    files = _big(folder, 4)
    hashing = Start.open(person, registry.url).wait_until_ready().begin().answer(UNDER_18).choose(*files).go_on()
    registry.recorder.cut()
    hashing.stop()
    hashing.resume()
    person.wait_for_text("Your device could not get ready. Please check your connection.")
    registry.recorder.mend()
    hashing.wait_until_done(len(files))


def test_a_device_that_failed_gets_ready_when_it_is_online(person: PlaywrightHands, registry: Registry) -> None:
    """A runtime that could not be loaded is loaded when the device is online again, without a press."""
    person.page.route("**/runtime/*", lambda route: route.abort())
    start = Start.open(person, registry.url)
    person.wait_for_text("Your device could not get ready. Please check your connection.")
    person.page.unroute("**/runtime/*")
    person.page.context.set_offline(offline=True)
    person.page.context.set_offline(offline=False)
    start.wait_until_ready()


def test_stopped_sending_stays_stopped(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """After "Stop sending" neither help nor another language sends; the same message goes when the person says so."""
    review = way_to_review(person, registry.url, [picture])
    registry.recorder.cut()
    sending = review.send()
    person.wait_for_text("No connection. We keep trying. Nothing is lost.")
    person.press("button", "Stop sending")
    person.wait_for_text(STOPPED_SENDING)
    registry.recorder.mend()
    registry.recorder.requests.clear()
    _look_elsewhere(person)
    person.wait_for_text(STOPPED_SENDING)
    assert registry.recorder.to("POST", CASES) == registry.recorder.to("GET", "/v1/work") == []
    person.press("button", "Send the fingerprints")
    sending.arrive()


def test_stopped_hashing_stays_stopped(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """After "Stop" neither help nor another language hashes."""
    files = _big(folder, 3)
    hashing = Start.open(person, registry.url).wait_until_ready().begin().answer(UNDER_18).choose(*files).go_on()
    hashing.stop()
    _look_elsewhere(person)
    assert STOPPED in hashing.text()
    hashing.resume().wait_until_done(len(files))


def test_a_double_click_answers_one_question(person: PlaywrightHands, registry: Registry) -> None:
    """The second click on an age presses nothing on the next screen."""
    Start.open(person, registry.url).begin()
    person.page.get_by_role("button", name="Me. I am under 18.").dblclick()
    Where(person)


@pytest.mark.browser_context_args(has_touch=True)
def test_a_double_tap_answers_one_question(person: PlaywrightHands, registry: Registry) -> None:
    """The second tap of a finger presses nothing on the next screen, and a later one does."""
    Start.open(person, registry.url).begin()
    box = person.page.get_by_role(
        "button", name="Me. I was under 18 in the picture, and I am older now."
    ).bounding_box()
    assert box is not None
    for _ in range(2):
        person.page.touchscreen.tap(box["x"] + 40, box["y"] + box["height"] / 2)
    Where(person).posted()


@pytest.mark.browser_context_args(has_touch=True, is_mobile=True)
def test_back_of_a_phone_stays_in_the_page(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """Where the browser offers it Back leads one screen back, without an entry in the history; pictures stay."""
    where = Start.open(person, registry.url).begin().say(UNDER_18)
    length = person.run("history.length")
    chosen = where.answer("where.private").choose(picture)
    person.press("button", HELP)
    Urgent(person)
    person.key("Escape")  # the driver's name for it
    Pictures(person)
    person.wait_for_text("Picture 1")
    chosen.go_on().wait_until_done(1)
    person.key("Escape")
    Pictures(person)
    person.key("Escape")
    Where(person)
    assert person.run("history.length") == length


def test_back_of_other_phones_stays_in_the_page(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """Without that one entry of the history does it, under the title of the page; no case number is left by mistake."""
    person.page.add_init_script(_ANOTHER_PHONE)
    person.open(f"{registry.url}{BEFORE}")
    start = Start.open(person, registry.url)
    length = person.run("history.length")
    where = start.begin().say(UNDER_18)
    assert person.run("history.length") == int(str(length)) + 1
    assert person.run("[document.title, location.pathname, history.state]") == ["Home page", "/", 1]
    chosen = where.answer("where.private").choose(picture)
    person.press("button", HELP)
    Urgent(person)
    person.run(_BACK)
    Pictures(person)
    person.wait_for_text("Picture 1")
    chosen.go_on().wait_until_done(1).go_on()
    person.run(_BACK)
    receipt = Pictures(person).go_on().wait_until_done(1).go_on().send().arrive()
    number = receipt.number()
    for _ in range(2):
        person.run(_BACK)
        assert receipt.number() == number
    receipt.keep().finish()
    person.page.wait_for_function("history.state === null")
    person.run(_FORWARD)
    person.page.wait_for_function("history.state === null")
    Start(person).begin()
    person.run(_BACK)
    Start(person)
    person.run("history.back()")
    person.page.wait_for_url(f"**{BEFORE}")


@pytest.mark.only_browser("chromium")  # Firefox's driver does not go forward to a page that the test made up
@pytest.mark.parametrize("steps_back", [0, 2])
def test_leaving_takes_the_entry_along(person: PlaywrightHands, registry: Registry, steps_back: int) -> None:
    """After leaving quickly neither Back nor Forward shows the page, wherever on it the person was."""
    person.page.context.route("https://www.bbc.com/**", serve_weather)
    person.page.add_init_script(_ANOTHER_PHONE)
    person.open(f"{registry.url}{BEFORE}")
    Start.open(person, registry.url).begin().say(UNDER_18)
    for _ in range(steps_back):
        person.run(_BACK)
    person.press("button", "Leave quickly")
    person.page.wait_for_url(HARMLESS)
    person.run("history.back()")
    person.page.wait_for_url(f"**{BEFORE}")
    for _ in range(2):
        # An event, for the second time the address is the harmless one before anything has happened.
        with person.page.expect_event("framenavigated", lambda frame: frame.url == HARMLESS):
            person.run("history.forward()")
    assert person.page.title() == "Weather"


def test_a_dropped_file_never_opens(person: PlaywrightHands, registry: Registry) -> None:
    """A file dropped on the page is taken where pictures are chosen, and ignored everywhere else."""
    start = Start.open(person, registry.url)
    assert person.run(_DROP) == [True, True]
    where = start.begin().say(UNDER_18)
    assert person.run(_DROP) == [True, True]
    chosen = where.answer("where.private")
    assert "1 picture in the list." not in chosen.text()
    assert person.run(_DROP) == [True, True]
    assert "1 picture in the list." in chosen.text()


def test_pictures_added_while_others_are_hashed(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """A picture that is chosen while others are being hashed is hashed too."""
    files = _big(folder, 4)
    start = Start.open(person, registry.url).wait_until_ready()
    start.begin().answer(UNDER_18).choose(*files[:3]).go_on()
    person.press("button", HELP)
    person.press("button", "Block the picture now")
    Pictures(person).choose(files[3]).go_on().wait_until_done(len(files))


def test_a_withdrawal_under_way_cannot_be_taken_back(
    person: PlaywrightHands, registry: Registry, picture: Path
) -> None:
    """While the registry withdraws, "No, keep blocking" does nothing, and help does not hide how it ended."""
    held: list[Route] = []
    case = way_to_review(person, registry.url, [picture]).send().arrive().keep().see_case()
    case.ask_to_withdraw()
    person.page.route("**/withdraw", _hold(held))
    person.press("button", "Yes, stop blocking")
    person.wait_for_text("Stopping…")
    person.page.get_by_role("button", name="No, keep blocking").click(force=True)
    person.wait_for("heading", "Stop blocking all pictures?")
    person.press("button", HELP)
    held[0].continue_()
    _wait_for_answer(person, "/withdraw")
    person.press("button", RETURN)
    person.wait_for_text("You stopped the blocking")


def test_a_failed_withdrawal_keeps_the_focus(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """When the registry cannot be asked, the focus is where it was: at the button."""
    case = way_to_review(person, registry.url, [picture]).send().arrive().keep().see_case()
    case.ask_to_withdraw()
    registry.recorder.cut()
    person.press("button", "Yes, stop blocking")
    person.wait_for_text("No connection. Please check it and try again.")
    assert person.run("document.activeElement.textContent") == "Yes, stop blocking"
    registry.recorder.mend()
    person.press("button", "Yes, stop blocking")
    person.wait_for_text("The blocking has been stopped.")


def test_the_last_choice_of_language_counts(person: PlaywrightHands, registry: Registry) -> None:
    """A language that comes late changes nothing any more, and what was typed stays."""
    held: list[Route] = []
    Start.open(person, registry.url).look_up()
    person.write("Case number", "482")
    person.page.route(re.compile(r"/words/de\b"), _hold(held))
    person.page.locator("#language").select_option(label="Deutsch")
    _speak(person, "Español", "es")
    person.page.locator("#number").fill("482 915")
    held[0].continue_()
    _wait_for_answer(person, "/words/de")
    person.page.wait_for_timeout(200)  # nothing can be waited for: nothing may happen
    assert person.run("[document.documentElement.lang, document.getElementById('number').value]") == ["es", "482 915"]


def test_a_tick_outlives_the_language(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """The box that says that number and PIN are kept stays ticked in another language."""
    way_to_review(person, registry.url, [picture]).send().arrive().keep()
    _speak(person, "Deutsch", "de")
    assert person.run("document.getElementById('kept').checked") is True


def test_help_leads_back_to_a_guide(person: PlaywrightHands, registry: Registry) -> None:
    """From one platform's guide "Help now" leads back to that guide."""
    where = Start.open(person, registry.url).begin().say(UNDER_18)
    where.posted().guide("Discord")
    person.press("button", HELP)
    person.press("button", RETURN)
    Guide(person, "Discord")


def test_help_leads_back_to_a_letter_that_was_sent(person: PlaywrightHands, registry: Registry) -> None:
    """With "I have sent it" the deadline and the second letter are there after help and in another language."""
    _letters(person, registry)
    person.press("button", "I have sent it")
    deadline = person.page.locator(".after .lead").inner_text()
    _look_elsewhere(person)
    assert deadline in person.text()
    person.unfold("If it is still there after 48 hours")
    assert "Sam Example" in person.region(f"The second letter for {REDDIT}")


def test_a_notice_is_not_lost_without_a_question(person: PlaywrightHands, registry: Registry) -> None:
    """With something typed into the notice, and with finished letters, the browser asks before it loads anew."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    person.page.on("dialog", stay)
    notice = Start.open(person, registry.url).begin().say(UNDER_18).posted().write_notice()
    notice.write("Phone", "555 0100")
    person.run("void setTimeout(() => location.reload())")
    person.page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    assert person.run("document.getElementById('phone').value") == "555 0100"


def _letters(person: PlaywrightHands, registry: Registry) -> None:
    """The letters for one platform."""
    notice: Notice = Start.open(person, registry.url).begin().say(UNDER_18).posted().write_notice()
    person.select("App or site", REDDIT)
    notice.write("Links to the picture", "https://example.com/1").tick("The person in it was under 18.")
    notice.tick("I believe in good faith that the person in it did not agree to this.")
    notice.write("Phone", "555 0100").write("Sign by typing your name", "Sam Example").make().letters()


@pytest.mark.parametrize(
    ("secure", "said"),
    [
        ("true", "Something on this page went wrong, so we could not send."),
        ("false", "This page was opened without https, so your browser does not let it send."),
    ],
)
def test_a_fault_is_no_lost_network(
    person: PlaywrightHands, registry: Registry, picture: Path, secure: str, said: str
) -> None:
    """Where the browser cannot do the number puzzle, the page says so and what helps, instead of trying for ever."""
    person.page.add_init_script(
        'Object.defineProperty(crypto, "subtle", { value: undefined });'
        f'Object.defineProperty(globalThis, "isSecureContext", {{ value: {secure} }});'
    )
    way_to_review(person, registry.url, [picture]).send()
    person.wait_for_text(said)
    person.press("button", "Try again")
    person.wait_for_text(said)
    person.press("button", "Back")
    person.wait_for("heading", "This is all we send")


def test_a_decoder_that_hangs_is_given_up(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """A picture of which the worker says nothing goes by its exact hashes, and those behind it are hashed."""
    person.page.add_init_script(_FIRST_PICTURE_HANGS)
    person.page.clock.install()
    files = [pictures.save(folder, seed, "png") for seed in (1, 2)]
    start = Start.open(person, registry.url)
    person.page.clock.run_for(1000)
    hashing = start.wait_until_ready().begin().answer(UNDER_18).choose(*files).go_on()
    person.wait_for_text("Opening the picture")
    person.page.clock.run_for(130_000)
    hashing.wait_until_done(2)
    assert hashing.text().count("We cannot look inside this picture.") == 1


def test_finishing_downloads_nothing_again(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """After "Finish and clear" the device is ready, and the next picture needs none of the runtime's files."""
    first, second = (pictures.save(folder, seed, "png") for seed in (1, 2))
    start = way_to_review(person, registry.url, [first]).send().arrive().keep().finish()
    before = len(registry.recorder.to("GET", "/runtime/"))
    assert "Your device is ready." in start.text()
    start.begin().answer(UNDER_18).choose(second).go_on().wait_until_done(1)
    assert len(registry.recorder.to("GET", "/runtime/")) == before


def test_a_receipt_pasted_whole_is_split(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """What the page saved, pasted into the field for the number, fills number and PIN."""
    receipt = way_to_review(person, registry.url, [picture]).send().arrive()
    number, pin = receipt.number(), receipt.pin()
    look_up = receipt.keep().finish().look_up()
    look_up.hands.write("Case number", f"Number: {number}\nCode: {pin}\n")
    person.press("button", "Show my case")
    person.wait_for("heading", f"Case {number}")
    person.page.get_by_role("navigation").get_by_role("button", name="Look up your case").click()
    assert person.run("[...document.querySelectorAll('main input')].map(({ value }) => value)") == ["", ""]


def test_being_offline_promises_what_is_true(person: PlaywrightHands, registry: Registry) -> None:
    """Offline, the page says which pictures can be hashed now and which have to wait."""
    start = Start.open(person, registry.url).wait_until_ready()
    person.page.context.set_offline(offline=True)
    person.wait_for_text("Videos and some pictures, like HEIC, have to wait until you are back online.")
    person.page.context.set_offline(offline=False)
    start.begin()
    assert "You are offline." not in person.text()


def test_leaving_starts_no_worker(person: PlaywrightHands, registry: Registry) -> None:
    """A page that is left terminates its worker, and loads no other one on the way out."""
    person.page.add_init_script(_COUNTED_WORKERS)
    Start.open(person, registry.url).wait_until_ready()
    assert person.run("globalThis.startedWorkers") == 1
    person.run("dispatchEvent(new Event('pagehide'))")
    assert person.run("globalThis.startedWorkers") == 1


_COUNTED_WORKERS = """
globalThis.startedWorkers = 0;
globalThis.Worker = class extends Worker {
  constructor(...ways) {
    super(...ways);
    globalThis.startedWorkers += 1;
  }
};
"""


def test_what_happened_is_said_in_the_language_of_the_page(
    person: PlaywrightHands, registry: Registry, picture: Path
) -> None:
    """The sentence that says what an act did follows a change of language, as all the others do."""
    case = way_to_review(person, registry.url, [picture]).send().arrive().keep().see_case()
    case.ask_to_withdraw().yes()
    person.wait_for_text(ENGLISH["withdraw.done"])
    _speak(person, "Deutsch", "de")
    person.wait_for_text(LANGUAGES["de"]["withdraw.done"])
