"""The page's words: all there, all used, and easy to read."""

import re
from typing import Final

import pytest
import textstat

from tests.words import WEB, Message, language

GRADE: Final = 5
"""The highest reading grade (Flesch-Kincaid) of a screen: a twelve-year-old reads it."""
PLACE: Final = re.compile(r"\{([a-z]+)\}")
KEPT: Final = re.compile(
    r"Takeback|StopNCII\.org|CyberTipline|NCMEC|Take It Down|TAKE IT DOWN Act|\bFTC\b|47 U\.S\.C\. 223a|SHA-256|PDQ"
)
NEVER: Final = re.compile(r"\bvictims?\b|\bnudes\b|\byour nude\b|\bporn", re.IGNORECASE)
LEFT_OUT: Final = ("receipt.file",)
"""Not a sentence: what is written into the file that a person keeps."""
GLOSSARY: Final = {
    "picture": r"\bpictures?\b",
    "fingerprint": r"\bfingerprints?\b",
    "device": r"\bdevices?\b",
    "case": r"\b(your|this|that|a|the|new) case\b(?! number)",
    "platform": r"\bplatforms?\b",
    "stop blocking": r"\bstop(ped)? (the )?blocking\b",
    "notice": r"\bnotices?\b",
    "help line": r"\bhelp lines?\b",
    "case number": r"\bcase numbers?\b",
    "link": r"\blinks?\b",
    "threaten": r"\bthreaten",
    "report": r"\breport",
}
"""The words that every language has one word for, and what they look like in English."""
LANGUAGES: Final = sorted(path.stem for path in (WEB / "words").glob("*.json"))
"""The languages beside English."""
RIGHT_TO_LEFT: Final = frozenset(("ar", "fa", "he", "pa-Arab", "ur"))


def _words(code: str = "en") -> dict[str, Message]:
    words: dict[str, Message] = language(code)["words"]
    return words


def _forms(message: Message) -> list[str]:
    """Every text that a message can become, its names not yet filled in."""
    if isinstance(message, str):
        return [message]
    return [text for form, inner in message.items() if form != "by" for text in _forms(inner)]


def _plurals(message: Message) -> list[dict[str, Message]]:
    """Every choice by number in a message, the inner ones too."""
    if isinstance(message, str):
        return []
    inner = [plural for form, value in message.items() if form != "by" for plural in _plurals(value)]
    return [message, *inner]


def _names(message: Message) -> set[str]:
    """The values that a message asks for, and the numbers that it hangs on."""
    texts = {name for text in _forms(message) for name in PLACE.findall(text)}
    return texts | {str(plural["by"]) for plural in _plurals(message)}


def _used() -> set[str]:
    """Every text in the page's modules that has the form of a key."""
    modules = [path.read_text() for path in (WEB / "page").rglob("*.js")]
    return {key for module in modules for key in re.findall(r'"([a-z0-9]+\.[a-z0-9-]+)"', module)}


def _readable(text: str) -> str:
    """A text as it is read, a stand-in for each name."""
    return PLACE.sub("two", text)


def _sentences(texts: list[str]) -> str:
    """The texts one after the other, each with an end, as the grade counts sentences by their ends."""
    return " ".join(text if text.rstrip("”").endswith((".", "?", "!", ":", "…")) else f"{text}." for text in texts)


def test_every_word_is_used() -> None:
    """Every key of the language file is named somewhere in the page's modules."""
    assert set(_words()) - _used() == set()


def test_every_used_word_is_there() -> None:
    """Every key that the page's modules name is in the language file."""
    prefixes = {key.split(".")[0] for key in _words()}
    keys = {key for key in _used() if key.split(".")[0] in prefixes}
    assert keys - set(_words()) == set()


@pytest.mark.parametrize("code", ["en", *LANGUAGES])
def test_plural_forms_are_those_of_the_language(code: str) -> None:
    """Every choice by number has each form that the language has, no other, and hangs on a number that is known."""
    forms = set(language(code)["forms"])
    for key, message in _words(code).items():
        for plural in _plurals(message):
            assert set(plural) == forms | {"by"}, key
            assert plural["by"] in _names(_words()[key]), key


@pytest.mark.parametrize("code", ["en", *LANGUAGES])
def test_forms_of_a_message_name_known_values(code: str) -> None:
    """No form of a message asks for a value that its other forms, or its choice by number, do not know."""
    for key, message in _words(code).items():
        known = {str(plural["by"]) for plural in _plurals(message)}
        named = [set(PLACE.findall(text)) for text in _forms(message)]
        assert set().union(*named) <= known | set.intersection(*named), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_has_every_word_and_no_other(code: str) -> None:
    """A language file has exactly the keys of English, in their order, and says what it is."""
    found = language(code)
    assert list(found["words"]) == list(_words())
    assert (found["code"], found["dir"]) == (code, "rtl" if code in RIGHT_TO_LEFT else "ltr")
    assert isinstance(found["reviewed"], bool)
    assert set(found) == {"code", "dir", "reviewed", "glossary", "words", "forms"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_fills_in_what_english_fills_in(code: str) -> None:
    """Every message of a language names the values that its English one names, and is a text with something in it."""
    for key, message in _words(code).items():
        assert _names(message) == _names(_words()[key]), key
        assert all(text.strip() for text in _forms(message)), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_keeps_the_names_that_are_not_translated(code: str) -> None:
    """Names of organisations, laws and hashes stand in a translation as they stand in English."""
    for key, message in _words(code).items():
        kept = set(KEPT.findall(" ".join(_forms(_words()[key]))))
        assert kept <= set(KEPT.findall(" ".join(_forms(message)))), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_has_one_word_for_each_of_the_glossary(code: str) -> None:
    """Where English says a word of the glossary, the translation has its word too, but for the messages named there."""
    glossary = language(code)["glossary"]
    assert list(glossary) == list(GLOSSARY)
    for word, look in GLOSSARY.items():
        said = {key for key, message in _words().items() if re.search(look, " ".join(_forms(message)), re.IGNORECASE)}
        stems, without = glossary[word]["as"], set(glossary[word]["without"])
        lacks = {key for key in said if not _has(_words(code)[key], stems)}
        assert lacks == without, (word, lacks ^ without)


def _has(message: Message, stems: list[str]) -> bool:
    """Whether a message, in any of its forms, has one of these beginnings or parts of words."""
    return any(stem in text.lower() for text in _forms(message) for stem in stems)


@pytest.mark.parametrize("code", ["en", *LANGUAGES])
def test_the_title_and_the_kept_file_give_nothing_away(code: str) -> None:
    """Neither the title of the tab nor the words of the saved file hold the name of the page or of what it is for."""
    words = _words(code)
    for key in ("frame.title", "receipt.file"):
        assert re.search("takeback|hash|pin", PLACE.sub("", str(words[key])), re.IGNORECASE) is None, key


@pytest.mark.parametrize("screen", sorted({key.split(".")[0] for key in _words()}))
def test_reading_grade(screen: str) -> None:
    """The words of each screen are at most of reading grade 5."""
    keys = [key for key in _words() if key.startswith(f"{screen}.") and key not in LEFT_OUT]
    texts = [_readable(text) for key in keys for text in _forms(_words()[key])]
    assert textstat.flesch_kincaid_grade(_sentences(texts)) <= GRADE, texts


def test_reading_grade_of_every_long_message() -> None:
    """Every message of twenty words or more is by itself at most of reading grade 7."""
    hard = {
        key: grade
        for key, message in _words().items()
        for text in _forms(message)
        if len(text.split()) >= 20 and (grade := textstat.flesch_kincaid_grade(_readable(text))) > GRADE + 2
    }
    assert hard == {}


def test_words_that_are_never_said() -> None:
    """No message, and nothing in the static page, uses a word that blames or labels."""
    static = re.sub(r"<[^>]*>", " ", (WEB / "index.html").read_text())
    said = [static, *(text for message in _words().values() for text in _forms(message))]
    assert [text for text in said if NEVER.search(text)] == []


def test_the_static_help_is_easy_to_read() -> None:
    """What a browser without JavaScript shows is at most of reading grade 5."""
    body = (WEB / "index.html").read_text().partition("<body>")[2]
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    items = [" ".join(re.sub(r"<[^>]*>", "", part).split()) for part in re.split(r"</(?:p|h1|li)>", body)]
    assert textstat.flesch_kincaid_grade(_sentences([item for item in items if item])) <= GRADE
