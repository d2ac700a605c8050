"""`/.well-known/security.txt` over HTTP: RFC 9116's fields, from the settings, and nothing without them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.registry.settings import read_contacts
from tests.registry.support import command, problem, serving

PATH = "/.well-known/security.txt"


def test_the_file_names_the_contacts_in_their_order(tmp_path: Path) -> None:
    """The file has each contact as a URI in the operator's order and one date, 89 to 91 days ahead, to GET and HEAD."""
    contacts = "security@takeback.example, https://takeback.example/report,tel:+1-201-555-0123"
    with serving(tmp_path / "var", "--security-contact", contacts) as server:
        answer, head = server.http.get(PATH), server.http.head(PATH)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert (head.status_code, head.content) == (200, b"")
    *named, expires = answer.text.removesuffix("\n").split("\n")
    assert named == [
        "Contact: mailto:security@takeback.example",
        "Contact: https://takeback.example/report",
        "Contact: tel:+1-201-555-0123",
    ]
    field, _, until = expires.partition(": ")
    assert field == "Expires"
    ahead = datetime.strptime(until, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(days=89) < ahead < timedelta(days=91)


def test_the_variable_does_the_same_and_other_methods_are_refused(tmp_path: Path) -> None:
    """`TAKEBACK_SECURITY_CONTACT` sets the contact too, and only GET and HEAD are allowed."""
    with serving(tmp_path / "var", environ={"TAKEBACK_SECURITY_CONTACT": "mailto:a@b.example"}) as server:
        assert server.http.get(PATH).text.startswith("Contact: mailto:a@b.example\nExpires: ")
        problem(server.http.post(PATH), 405, "method-not-allowed")


def test_there_is_no_file_without_a_contact(tmp_path: Path) -> None:
    """Without a contact the registry answers 404, and serves no made-up address."""
    with serving(tmp_path / "var") as server:
        problem(server.http.get(PATH), 404, "not-found")


@pytest.mark.parametrize(
    "contact",
    ["us", "@takeback.example", "http://takeback.example/", "a@b@c", "mailto:", "a@b.example,", "a b@c.example",
     "a@b.example\nContact: mailto:evil@c.example", "tel:", "ä@b.example"],
)  # fmt: skip
def test_what_is_no_contact_stops_the_start(tmp_path: Path, contact: str) -> None:
    """A contact that RFC 9116 does not allow is refused at the start, in one line that says what it must be."""
    refused = command("registry", "serve", "--data", tmp_path, "--port", "0", "--security-contact", contact)
    assert refused.returncode == 2
    assert "--security-contact" in refused.stderr
    assert "it must be" in refused.stderr
    assert len(refused.stderr.strip().split("\n")) == 1


@given(st.text())
def test_no_setting_adds_a_line(text: str) -> None:
    """For any value of the setting, each contact is one printable word, or the setting is refused."""
    try:
        contacts = read_contacts(text, "TAKEBACK_SECURITY_CONTACT")
    except SettingsError:
        return
    assert contacts
    assert all(contact.isascii() and contact.isprintable() and " " not in contact for contact in contacts)
