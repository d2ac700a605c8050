"""The facts of the page: telephone numbers, addresses and where they were checked."""

import json
import re
import subprocess
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import brotli
import pytest

from builder.site.bundle import PAGE, bundle_page
from tests.words import CODES, WEB

CONTENT: Final = WEB / "page" / "content"
KINDS: Final = frozenset(
    ("talk", "crisis", "report", "remove", "police", "parents", "find", "find-talk", "same", "adults")
)
WHOM: Final = frozenset(("child", "adult", "parent"))
DIALABLE: Final = re.compile(r"\+?\d{2,15}")
"""What is left of a telephone number for `tel:`: the shortest are of two digits, the longest of fifteen (E.164)."""
COUNTRIES: Final = re.compile(r"[A-Z]{2}")
FACTS: Final = {
    "helpLines": ("address", "call", "text"),
    "platforms": ("page", "minors", "mail", "app", "account", "us"),
}
"""What of an entry is a fact that needs sources. A name has those of what it names."""
FIRST_DAY: Final = date(2026, 11, 28)
"""No fact was checked before this day."""
LARGEST_PAGE: Final = 60 * 1024
"""Bytes of the page's script, compressed: it opens on a slow phone."""
BODY_HOSTS: Final = {
    "about.meta.com": ("instagram", "facebook"),
    "support.google.com": ("google", "youtube"),
    "www.microsoft.com": ("bing",),
    "values.snap.com": ("snapchat",),
    "telegram.org": ("telegram",),
}
"""Hosts of a platform that do not bear its name."""
HARMLESS: Final = re.compile(
    r"weather|meteo|metoffice|pogoda|wetter|gismeteo|mausam|jma|knmi|imgw|smhi|dwd|aemet|chmi|bmd|bmkg|pagasa|irimo|ims|inmet|mgm|nchmf|cwa"
)
"""A part of the name of a weather service."""


@cache
def _read() -> dict[str, Any]:
    """Everything that the page's modules of facts export, read by Node."""
    modules = {
        "helplines": CONTENT / "helplines.js",
        "platforms": CONTENT / "platforms.js",
        "leave": WEB / "page" / "frame" / "harmless-pages.js",
    }
    script = """
    const found = {};
    for (const [name, file] of Object.entries(JSON.parse(process.argv[1]))) found[name] = { ...(await import(file)) };
    console.log(JSON.stringify(found));
    """
    files = json.dumps({name: path.as_uri() for name, path in modules.items()})
    command = ["node", "--input-type=module", "--eval", script, files]
    facts: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return facts


SOURCES: Final = json.loads((CONTENT / "sources.json").read_text())
LINES: Final = _read()["helplines"]["HELP_LINES"]
EMERGENCY: Final = _read()["helplines"]["EMERGENCY"]
PLATFORMS: Final = _read()["platforms"]["PLATFORMS"]
LEAVE: Final = _read()["leave"]["HARMLESS_PAGES"]


def _host(address: str) -> str:
    return urlsplit(address.partition(" ")[0]).hostname or ""


def _shipped() -> set[tuple[str, str, str]]:
    """Each fact that is part of the page: kind, entry and what it is."""
    found = {
        (kind, entry, fact)
        for kind, entries in (("helpLines", LINES), ("platforms", PLATFORMS))
        for entry, facts in entries.items()
        for fact in facts
        if fact in FACTS[kind]
    }
    return found | {("emergency", country, "number") for country in EMERGENCY} | {("law", "FTC", "address")}


def test_every_fact_has_sources_and_no_source_is_left_over() -> None:
    """The facts of the page are exactly those of `sources.json`, each with its sources."""
    listed = {
        (kind, entry, fact)
        for kind, entries in SOURCES.items()
        for entry, facts in entries.items()
        for fact in facts
        if fact != "checked"
    }
    assert _shipped() == listed


@pytest.mark.parametrize(("kind", "entry", "fact"), sorted(_shipped()))
def test_a_fact_has_two_sources_and_a_day(kind: str, entry: str, fact: str) -> None:
    """A fact was found at two hosts or more, each with its public address, on a day that has been."""
    sources = SOURCES[kind][entry][fact]
    for source in sources:
        assert re.fullmatch(r"https?://[\w-]+(?:\.[\w-]+)+/\S*(?: \(\d{4}(?:-\d\d){0,2}\))?", source), source
    assert len({_host(source) for source in sources}) >= 2, sources
    assert FIRST_DAY <= date.fromisoformat(SOURCES[kind][entry]["checked"]) <= datetime.now(tz=UTC).date()


@pytest.mark.parametrize("name", LINES)
def test_a_help_line_says_what_it_is_for_and_how_to_reach_it(name: str) -> None:
    """A help line has a kind of help, people that it is for, and a link or a number that a telephone dials."""
    line = LINES[name]
    assert set(line) <= {"name", "country", "helps", "whom", "still", "address", "call", "text"}
    assert line["name"].strip()
    assert line["country"] is None or COUNTRIES.fullmatch(line["country"])
    assert line["helps"]
    assert set(line["helps"]) <= KINDS
    assert line["whom"]
    assert set(line["whom"]) <= WHOM
    assert "address" in line or "call" in line
    if "address" in line:
        _check_link(line["address"])
    if "call" in line:
        assert re.fullmatch(r"[\d\s-]+", line["call"])
        assert DIALABLE.fullmatch(re.sub(r"\D", "", line["call"]))
    if "text" in line:
        assert DIALABLE.fullmatch(line["text"]["number"])


def test_no_help_line_stands_twice() -> None:
    """No number and no address is given twice in a country."""
    for what in ("address", "call"):
        given = [(line["country"], line[what]) for line in LINES.values() if what in line]
        assert len(given) == len(set(given))


def test_every_country_is_one_that_a_browser_can_name() -> None:
    """The countries are of ISO 3166-1, and no number for danger is of a country without help lines."""
    countries = {line["country"] for line in LINES.values() if line["country"]}
    script = """
    const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
    console.log(JSON.stringify(JSON.parse(process.argv[1]).filter((code) => !names.of(code))));
    """
    command = ["node", "--input-type=module", "--eval", script, json.dumps(sorted(countries))]
    assert json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) == []
    assert set(EMERGENCY) <= countries
    assert all(re.fullmatch(r"\d{3,5}", number) for number in EMERGENCY.values())


def test_every_language_has_a_country_with_help() -> None:
    """For each language of the page there is help in a country where it is spoken."""
    script = """
    const regions = JSON.parse(process.argv[1]).map((code) => [code, new Intl.Locale(code).maximize().region]);
    console.log(JSON.stringify(regions));
    """
    command = ["node", "--input-type=module", "--eval", script, json.dumps(CODES)]
    regions = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    countries = {line["country"] for line in LINES.values()}
    assert [code for code, region in regions if region not in countries] == []


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_is_reported_on_its_own_site(name: str) -> None:
    """A platform has a page of its own, an address for e-mail, or is reported in its app."""
    platform = PLATFORMS[name]
    assert set(platform) <= {"name", "page", "minors", "mail", "app", "account", "us"}
    assert {"page", "minors", "mail", "app"} & set(platform)
    hosts = []
    for what in ("page", "minors"):
        if what in platform:
            _check_link(platform[what])
            hosts.append(_host(platform[what]))
    if "mail" in platform:
        assert re.fullmatch(r"[\w.]+@[\w.]+\.[a-z]+", platform["mail"])
        hosts.append(platform["mail"].partition("@")[2])
    for host in hosts:
        assert name in host.replace("help.x.com", "x") or name in BODY_HOSTS.get(host, ()), host


def test_the_month_that_is_shown_is_that_of_the_oldest_check() -> None:
    """The page does not say that a fact was checked later than it was."""
    days = [entry["checked"] for entries in SOURCES.values() for entry in entries.values()]
    assert min(days).startswith(_read()["helplines"]["CHECKED"])


def test_the_page_shows_no_other_number_and_no_other_address() -> None:
    """Neither a module nor a word of the page holds an address or a telephone number that is not one of the facts."""
    known = {line[what] for line in LINES.values() for what in ("address",) if what in line}
    known |= {platform[what] for platform in PLATFORMS.values() for what in ("page", "minors") if what in platform}
    known |= set(LEAVE.values()) | {_read()["helplines"]["FTC"]}
    numbers = {re.sub(r"\D", "", line["call"]) for line in LINES.values() if "call" in line}
    numbers |= {line["text"]["number"] for line in LINES.values() if "text" in line}
    modules = [*(WEB / "page").rglob("*.js"), WEB / "index.html", *(WEB / "words").glob("*.js*")]
    for path in modules:
        text = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", path.read_text(), flags=re.DOTALL)
        # An address is ASCII: what follows it in a sentence may be of any script.
        addresses = set(re.findall(r"https?://[^\s\"'`<>\x80-\U0010ffff]+", text)) - {"http://www.w3.org/2000/svg"}
        assert addresses <= known, path
        assert set(re.findall(r"(?:tel|sms):(\d+)", text)) <= numbers, path
    spoken = "".join(path.read_text() for path in (WEB / "words").glob("*.js*"))
    assert re.findall(r"\b\d{3}[ -]\d{3,4}[ -]?\d{3,4}\b", spoken.replace("482 915 7306", "")) == []


def test_the_sources_are_not_part_of_the_page(tmp_path: Path) -> None:
    """What a phone loads holds the facts and not their sources, and is small."""
    script = tmp_path / "page.js"
    bundle_page(PAGE, script)
    text = script.read_text()
    assert LINES["aepd"]["address"] in text
    assert not re.search(r"opchildsafety|sources\.json|flaglersheriff", text)
    assert len(brotli.compress(script.read_bytes(), quality=11)) <= LARGEST_PAGE


@pytest.mark.parametrize("code", CODES)
def test_leaving_goes_to_a_plain_page_on_the_weather(code: str) -> None:
    """Each language has a page to leave to: on the weather, at https, with an address that tells nothing."""
    address = LEAVE[code]
    parts = urlsplit(address)
    assert parts.scheme == "https"
    assert not parts.query
    assert not parts.fragment
    assert not parts.username
    assert parts.port is None
    assert HARMLESS.search(f"{parts.hostname}{parts.path}")
    assert re.fullmatch(r"/(?:weather)?", parts.path)


def test_where_a_world_wide_site_is_blocked_leaving_goes_elsewhere() -> None:
    """The languages of countries that block the BBC lead to a page of that country."""
    for code in ("fa", "ru", "vi", "zh-Hans"):
        assert "bbc" not in LEAVE[code]
    assert set(LEAVE) == set(CODES)


def _check_link(address: str) -> None:
    """An address is https, and that of a page and not of a person's session."""
    parts = urlsplit(address)
    assert parts.scheme == "https"
    assert parts.hostname
    assert "." in parts.hostname
    assert not parts.query
    assert not parts.fragment
    assert not parts.username
    assert parts.port is None
