import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.integrations.callers import is_caller, require_token

TOKEN = "s3cret:with-colon"


def test_the_token() -> None:
    """The token is taken as bearer or as a password, and nothing else is; without a token everybody may call."""
    basic = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    assert is_caller(f"Bearer {TOKEN}", TOKEN)
    assert is_caller(f"bearer  {TOKEN} ", TOKEN)
    assert is_caller(f"Basic {basic}", TOKEN)
    assert is_caller("", "")
    for wrong in ("", TOKEN, f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"Digest {TOKEN}", "Basic", "Basic =", "Bearer ä"):
        assert not is_caller(wrong, TOKEN)


@given(st.text())
def test_any_field(authorization: str) -> None:
    """Whatever a caller sends is refused, unless it is the token."""
    assert is_caller(authorization, TOKEN) == (TOKEN in authorization)


def test_other_machines_need_a_token() -> None:
    """A service that other machines reach does not start without a token, nor with one that cannot be sent."""
    require_token("127.0.0.1", "", "THE_TOKEN", "look")
    require_token("0.0.0.0", TOKEN, "THE_TOKEN", "look")
    with pytest.raises(SettingsError, match="could look: set THE_TOKEN"):
        require_token("0.0.0.0", "", "THE_TOKEN", "look")
    with pytest.raises(SettingsError, match="printable"):
        require_token("127.0.0.1", "two words", "THE_TOKEN", "look")
