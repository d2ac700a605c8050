import pytest

from takeback.lookup import messages
from takeback.lookup.service import shares
from tests.lookup.services import (
    PDQ,
    Service,
    ask,
    other,
    question,
    second_site,
)


def test_one_site_occupies_its_own_share(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a site's requests fill its share it is told to try again, and other sites are answered."""
    monkeypatch.setattr(shares, "MAX_SITE_BYTES", 1000)
    long = {"uploads": [question(other(place)) for place in range(20)]}
    refused = service.http.post(messages.CHECK_BATCH, json=long)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:takeback:problem:busy")
    assert ask(service, PDQ).status_code == 200
    with second_site(service) as client:
        assert client.post(messages.CHECK, json=question(PDQ)).status_code == 200
