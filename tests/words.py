"""The page's words for tests: each sentence by its key, in each language, with values filled in as the page does it."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

WEB: Final = Path(__file__).resolve().parents[1] / "web"
CODES: Final = ("en", *sorted(path.stem for path in (WEB / "words").glob("*.json")))
"""Every language that the page speaks."""

type Message = str | dict[str, "Message"]

_READ: Final = """
const [code, file] = given;
const language = code === "en" ? (await import(file)).language : JSON.parse(readFileSync(new URL(file)));
const forms = new Intl.PluralRules(language.code).resolvedOptions().pluralCategories;
say({ ...language, forms });
"""
_FILL: Final = """
const [module, message, values, code] = given;
say((await import(module)).fill(message, values, code).join(""));
"""
_CHOOSE: Final = """
const [module, wishes, codes] = given;
say((await import(module)).choose(wishes, codes));
"""


class Words:
    """The words of one language: `words["start.begin"]` is a sentence, `fill` gives one that holds values."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.direction: str = language(code)["dir"]
        self._messages: dict[str, Message] = language(code)["words"]

    def __getitem__(self, key: str) -> str:
        message = self._messages[key]
        assert isinstance(message, str), f"{key} depends on a number: use fill"
        assert "{" not in message, f"{key} holds values: use fill or part"
        return message

    def fill(self, key: str, **values: str | int) -> str:
        """The sentence with its values, in the plural form and the digits of this language."""
        return _fill(self.code, key, json.dumps(values))

    def part(self, key: str) -> str:
        """The longest part of a sentence that none of its values changes."""
        message = self._messages[key]
        assert isinstance(message, str), f"{key} depends on a number: use fill"
        return max(re.split(r"\{[a-z]+\}", message), key=len).strip()


class Languages:
    """Every language by its code: `LANGUAGES["es"]`."""

    def __getitem__(self, code: str) -> Words:
        return Words(code)

    def spoken_to(self, locale: str) -> Words:
        """The words that the page chooses for a browser that asks for `locale`."""
        return self[_node(_CHOOSE, (WEB / "page" / "language" / "languages.js").as_uri(), [locale], CODES)]


@cache
def language(code: str) -> dict[str, Any]:
    """A language file, read by Node, with the plural forms that the language has as `forms`."""
    file = WEB / "words" / ("en.js" if code == "en" else f"{code}.json")
    found: dict[str, Any] = _node(_READ, code, file.as_uri())
    return found


@cache
def _fill(code: str, key: str, values: str) -> str:
    message = language(code)["words"][key]
    return str(_node(_FILL, (WEB / "page" / "language" / "format.js").as_uri(), message, json.loads(values), code))


def _node(script: str, *given: object) -> Any:
    """What a script of Node's says about what it was given."""
    frame = 'import { readFileSync } from "node:fs"; const say = (it) => console.log(JSON.stringify(it));'
    code = f"{frame} const given = JSON.parse(process.argv[1]); {script}"
    command = ["node", "--input-type=module", "--eval", code, json.dumps(given)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


LANGUAGES: Final = Languages()
ENGLISH: Final = LANGUAGES["en"]
