"""A walk at random over the page: whatever a person does, and whatever happens, there is a way on.

`TAKEBACK_WALK_ACTS=2000` makes it long (add `--tracing off`), `TAKEBACK_WALK_SEED` repeats one: the seed is printed.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Error

from tests.e2e import pictures
from tests.e2e.hands import PATIENCE, PlaywrightHands
from tests.e2e.product import Registry

ACTS: Final = int(os.environ.get("TAKEBACK_WALK_ACTS", "200"))
SEED: Final = os.environ.get("TAKEBACK_WALK_SEED", "")
HOME_EVERY: Final = 40
"""After so many acts the walker goes home to the first screen, which must be possible."""
KINDS: Final = ("png", "jpg", "webp", "gif")
LANGUAGES: Final = ("en", "de", "ar")
KNOWN: Final = re.compile(
    r"GET /v1/platforms|GET /v1/work\?pictures=\d+&signals=\d+"
    r"|POST /v1/cases(/\d{10}/(pictures|withdraw))?|GET /v1/cases/\d{10}"
)
"""What the page may ask for beside its own files."""
NETWORK: Final = "Failed to load resource"
"""What the browser itself writes to the console of a request that got no answer."""

_WORKERS: Final = """
globalThis.workers = [];
globalThis.Worker = class extends Worker {
  constructor(...ways) {
    super(...ways);
    globalThis.workers.push(this);
  }
  terminate() {
    globalThis.workers = globalThis.workers.filter((worker) => worker !== this);
    super.terminate();
  }
};
"""
_KILL: Final = "globalThis.workers.at(-1)?.dispatchEvent(new ErrorEvent('error'))"
_PLACES: Final = """
(kinds) => [...document.querySelectorAll(kinds)].filter((one) => one.checkVisibility() && !one.closest(".leave")).length
"""
_PLACE: Final = """
([kinds, at]) => {
  const all = [...document.querySelectorAll(kinds)];
  const one = all.filter((one) => one.checkVisibility() && !one.closest(".leave"))[at];
  one.scrollIntoView({ block: "center", behavior: "instant" });
  const { x, y, width, height } = one.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
}
"""
_DROP: Final = """
(() => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["x"], "secret.png", { type: "image/png" }));
  for (const type of ["dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
})()
"""
_HOME: Final = """
() => {
  const press = (one) => (one?.click(), one !== null && one !== undefined);
  const main = document.querySelector("main");
  const { screen } = main.dataset;
  if (screen === "start") return true;
  if (screen === "receipt") {
    const box = document.getElementById("kept");
    if (!box.checked) box.click();
    main.querySelectorAll(".actions button")[1].click();
  } else if (screen === "sending" && main.querySelector(".actions").dataset.state !== "sending") {
    [...main.querySelectorAll(".actions button")].at(-1).click();
  } else if (screen === "withdraw" && main.querySelector("[aria-disabled=true]")) return false;
  else press(document.querySelector("nav button"));
  return false;
}
"""
"""One press on the way to the first screen; whether the walker is there."""


class Walker:
    """Does one thing after the other, by chance."""

    def __init__(self, person: PlaywrightHands, registry: Registry, folder: Path, chance: random.Random) -> None:
        self.person = person
        self.page = person.page
        self.registry = registry
        self.chance = chance
        self.done: list[str] = []
        self.seen = Counter[str]()
        text = folder / "text.png"
        text.write_text("This is no picture.")
        self.files = [
            text,
            *(pictures.save(folder, seed, kind) for seed, kind in enumerate(("png", "jpg", "webp", "gif"))),
        ]
        self.acts: list[tuple[int, Callable[[], object]]] = [
            (25, self.press),
            (10, self.go_on),
            (40, self.pursue),
            (8, self.wait),
            (8, self.press_twice),
            (12, self.choose),
            (8, self.tick),
            (6, self.write),
            (4, self.drop),
            (4, self.speak),
            (4, self.lose_network),
            (6, self.find_network),
            (3, self.kill),
            (2, self.back),
            (1, self.reload),
        ]

    def act(self) -> None:
        """Does something, and looks whether there is a way on."""
        weights = [weight for weight, _ in self.acts]
        (act,) = self.chance.choices([act for _, act in self.acts], weights)
        self.done.append(act.__name__)
        act()
        self.look()

    def look(self) -> None:
        """A screen has a heading, and something to press."""
        assert self.page.locator("h1").inner_text(), self.done
        self.seen[str(self.person.run("document.querySelector('main').dataset.screen"))] += 1
        assert self.page.evaluate(_PLACES, "main button:not(:disabled), main select, main a") > 0, self.done

    def home(self) -> None:
        """Goes to the first screen by what is on the screen, with a network."""
        self.find_network()
        self.page.wait_for_function(_HOME, polling=100, timeout=PATIENCE * 1000)
        self.done.append("home")

    def press(self) -> None:
        """Presses a button."""
        self._click_one_of("main button, nav button, .bar button, summary")

    def go_on(self) -> None:
        """Presses what the screen would have one press, or an answer."""
        self._click_one_of("main button.primary, main button.choice")

    def pursue(self) -> None:
        """Does what leads to a case: gives the first answer, chooses pictures, ticks the box, and goes on."""
        if self.page.locator("input[type=file]").count() and not self.page.locator("main .files li").count():
            return self.choose()
        if self.page.locator("#kept:not(:checked)").count():
            return self._click_one_of("#kept")
        return self._click_one_of(
            "main button.primary" if self.page.locator("main button.primary").count() else "main li:first-child .choice"
        )

    def wait(self) -> None:
        """Does nothing for a while."""
        self.page.wait_for_timeout(self.chance.randrange(500))

    def press_twice(self) -> None:
        """Presses a button twice, as fast as a hand that is used to double clicks."""
        place = self._place("main button, nav button, .bar button")
        if place:
            self.page.mouse.dblclick(*place)

    def choose(self) -> None:
        """Chooses files, where files can be chosen."""
        if self.page.locator("input[type=file]").count():
            self.person.choose(self.chance.sample(self.files, self.chance.randint(1, 3)))

    def tick(self) -> None:
        """Ticks a box, or takes its tick away."""
        self._click_one_of("main input[type=checkbox], main input[type=radio]")

    def write(self) -> None:
        """Types into a field."""
        place = self._place("main input[type=text], main textarea")
        if place:
            self.page.mouse.click(*place)
            self.page.keyboard.type(
                self.chance.choice(("482 915 7306", "K7QM-2XRW-9DHF", "x", "https://example.com/1"))
            )

    def drop(self) -> None:
        """Drops a file somewhere."""
        self.person.run(_DROP)

    def speak(self) -> None:
        """Chooses a language."""
        self.page.locator("#language").select_option(self.chance.choice(LANGUAGES))

    def lose_network(self) -> None:
        """The network goes away."""
        self.page.context.set_offline(offline=True)

    def find_network(self) -> None:
        """The network comes back."""
        self.page.context.set_offline(offline=False)

    def kill(self) -> None:
        """A worker dies."""
        self.person.run(_KILL)

    def back(self) -> None:
        """Leaves the page by Back, whatever the browser asks, and comes again."""
        self.find_network()
        self.page.go_back()
        self.person.open(self.registry.url)
        self.page.wait_for_selector("h1")

    def reload(self) -> None:
        """Loads the page anew, whatever the browser asks."""
        self.find_network()
        self.person.reload()
        self.page.wait_for_selector("h1")

    def _click_one_of(self, kinds: str) -> None:
        place = self._place(kinds)
        if place:
            self.page.mouse.click(*place)

    def _place(self, kinds: str) -> list[float] | None:
        """Where one of the visible elements of these kinds is; `None` if there is none or it has just gone."""
        count = self.page.evaluate(_PLACES, kinds)
        try:
            place: list[float] = self.page.evaluate(_PLACE, [kinds, self.chance.randrange(count)]) if count else []
        except Error:
            return None
        return place or None


@pytest.mark.timeout(max(300, ACTS * 3))
def test_a_walk_at_random_ends_nowhere(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """No act of many at random leads to a dead end, to an error in the console, or to a request that is not known."""
    seed = int(SEED or random.randrange(10**9))
    print(f"TAKEBACK_WALK_SEED={seed} TAKEBACK_WALK_ACTS={ACTS}")
    person.page.on("dialog", lambda dialog: dialog.accept())
    person.page.add_init_script(_WORKERS)
    person.open(registry.url)
    person.page.wait_for_selector("h1")
    walker = Walker(person, registry, folder, random.Random(seed))
    for number in range(ACTS):
        walker.act()
        if number % HOME_EVERY == HOME_EVERY - 1:
            walker.home()
    walker.home()
    print(dict(walker.seen))
    faults = [fault for fault in person.watch.faults if not fault.startswith(NETWORK)]
    assert faults == person.watch.broken_policies() == person.watch.elsewhere == [], seed
    asked = {f"{request.method} {request.path}" for request in registry.recorder.requests}
    files = {f"GET {path}" for path in registry.files()}
    assert [one for one in sorted(asked - files) if not KNOWN.fullmatch(one)] == [], seed
