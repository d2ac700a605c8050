"""Addresses that may be asked, and what is said of a connection that fails."""

import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.connections import check_address, is_loopback, why
from takeback.errors import SettingsError


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_known(host: str) -> None:
    """This machine's own addresses are, and may be asked without TLS."""
    assert is_loopback(host)
    check_address(f"http://{f'[{host}]' if ':' in host else host}:8000", "the site", "it could be changed")


@pytest.mark.parametrize("host", ["example.org", "192.168.0.1", "0.0.0.0", "localhost.example.org", ""])
def test_other_machines_are_not_this_one(host: str) -> None:
    """No other host is taken for this machine."""
    assert not is_loopback(host)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Whatever is given as an address, it is taken or refused as a setting."""
    try:
        check_address(text, "the site", "it could be changed")
    except SettingsError as error:
        assert str(error).startswith("the site's address")


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (socket.gaierror(-2, "Name or service not known"), "its name cannot be looked up"),
        (ConnectionRefusedError(111, "Connection refused"), "the connection is refused"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "its certificate is not trusted"),
        (OSError(113, "No route to host"), "No route to host"),
        (ValueError("x"), "it broke off the conversation"),
    ],
)
def test_the_first_cause_that_says_something_is_told(cause: Exception, told: str) -> None:
    """Behind a client's own error stands the system's, and that is what is told."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        cause.verify_message = "self-signed certificate"
    outer = RuntimeError("the client's")
    outer.__cause__ = cause
    assert why(outer).startswith(told)
