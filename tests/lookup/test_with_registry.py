"""The look-up service with the real registry, each in its own process: a picture that a person sent is stopped."""

import time
from pathlib import Path

from PIL import Image

from takeback.lookup import Action, RemoteGate
from tests.gate.pictures import drawing, jpeg
from tests.gate.test_with_registry import KEY_FILE, serving, wire
from tests.lookup.service.test_server import served
from tests.lookup.services import add_site
from tests.registry.support import Json, Server, command

PICTURE = drawing(7, (1200, 900))


def test_main_path(tmp_path: Path) -> None:
    """A small site blocks a copy of what a person sent; the person sees it; withdrawn, it passes again."""
    home = tmp_path / "gate"
    copies = [jpeg(PICTURE.resize((500, 375)), 55), jpeg(PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT))]
    with serving(tmp_path / "var") as registry:
        (tmp_path / "key").write_text(registry.platform("hotline").key)
        made = command("gate", "init", "--home", home, "--registry", registry.address, *KEY_FILE, tmp_path / "key")
        assert made.returncode == 0, made.stderr
        case = registry.submit(wire(jpeg(PICTURE, 95))).json()
        assert command("gate", "sync", "--home", home).returncode == 0
        with served(home, "--interval", "1") as (client, _):
            key = client.headers["Authorization"].removeprefix("Bearer ")
            with RemoteGate(str(client.base_url).rstrip("/"), key) as gate:
                decisions = [gate.check(copy) for copy in copies]
                assert {one.action for one in decisions} == {Action.BLOCK}
                assert gate.check(jpeg(drawing(8))).action is Action.ALLOW
                gate.feedback(decisions[0], "blocked")
                end = time.monotonic() + 30
                while not registry.case(case["number"]).json()["pictures"][0]["blocked"]:
                    assert time.monotonic() < end
                    time.sleep(0.1)
                assert registry.withdraw(case["number"]).json()["state"] == "withdrawn"
                while gate.check(copies[0]).action is not Action.ALLOW:
                    assert time.monotonic() < end


def test_the_person_sees_how_many_small_sites_check(tmp_path: Path) -> None:
    """A marked service counts as the sites that asked it and were not revoked, and not as a platform."""
    home = tmp_path / "gate"
    with serving(tmp_path / "var") as registry:
        (tmp_path / "key").write_text(registry.command("platform", "add", "hotline", "--lookup").stdout.split()[0])
        made = command("gate", "init", "--home", home, "--registry", registry.address, *KEY_FILE, tmp_path / "key")
        assert made.returncode == 0, made.stderr
        number = registry.submit(wire(jpeg(PICTURE, 95))).json()["number"]
        with served(home, "--interval", "1") as (client, _):
            add_site(home, "idle")
            for key in (client.headers["Authorization"].removeprefix("Bearer "), add_site(home, "club")):
                with RemoteGate(str(client.base_url).rstrip("/"), key, when_away="hold") as gate:
                    gate.check(jpeg(PICTURE))
            _until(registry, number, {"platforms": 0, "small_sites": 2})
            assert registry.http.get("/v1/platforms").json() == {"platforms": [], "unnamed": 0, "small_sites": 2}
            assert command("lookup", "revoke", "club", "--home", home).returncode == 0
            _until(registry, number, {"platforms": 0, "small_sites": 1})
            registry.command("platform", "lookup", "hotline", "--off")
            _until(registry, number, {"platforms": 1, "small_sites": 0})


def _until(registry: Server, number: str, counts: Json) -> None:
    end = time.monotonic() + 30
    while {name: registry.case(number).json()[name] for name in counts} != counts:
        assert time.monotonic() < end
        time.sleep(0.1)
