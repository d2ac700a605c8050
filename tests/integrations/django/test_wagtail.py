"""The app for Wagtail in a new site of the real Wagtail, by the pages of its administration and by its API."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.gate.servers import running
from tests.gate.sidecar import serving
from tests.integrations.django_sites import Site, log_in, packages, referring, token
from tests.integrations.proxies import BROKEN, COPY, OTHER, listing

LOCK: Final = Path(__file__).parent / "wagtail.lock"
AWAY: Final = "http://127.0.0.1:9"
REFUSED: Final = "This file cannot be posted here."
SETTINGS: Final = """
import json, os
INSTALLED_APPS += ["takeback.integrations.django", "takeback.integrations.wagtail", "wagtail.api.v3"]
TAKEBACK = json.loads(os.environ["SITE_TAKEBACK"])
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
FORMS: Final = """
WAGTAILIMAGES_IMAGE_FORM_BASE = "takeback.integrations.wagtail.forms.ImageForm"
WAGTAILDOCS_DOCUMENT_FORM_BASE = "takeback.integrations.wagtail.forms.DocumentForm"
"""
API: Final = """
from wagtail.api.v3.urls import api
urlpatterns = [path("api/v3/", api.urls), *urlpatterns]
"""
TOKEN: Final = """
from django.contrib.auth import get_user_model
from wagtail.models import APIToken
print(APIToken.create_token(user=get_user_model().objects.get(), name="a token")[1])
"""
ACCOUNT: Final = {
    "name_email-first_name": "A",
    "name_email-last_name": "B",
    "name_email-email": "a@example.org",
    "locale-current_time_zone": "UTC",
    "theme-theme": "system",
    "theme-density": "default",
    "theme-contrast": "system",
}
"""A valid form of the account page."""
START: Final = "import sys; from wagtail.bin.wagtail import main; main()"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site as `wagtail start` makes it, with the two apps and the forms."""
    path = packages(LOCK)
    folder = tmp_path_factory.mktemp("wagtail")
    made = Site(folder / "mysite", path, **using(AWAY))
    command = [sys.executable, "-c", START, "start", "mysite", str(made.folder)]
    made.folder.mkdir()
    subprocess.run(command, env=made.environ, check=True, capture_output=True, timeout=120)
    settings = made.folder / "mysite" / "settings" / "dev.py"
    settings.write_text(settings.read_text() + SETTINGS)
    urls = made.folder / "mysite" / "urls.py"
    urls.write_text(urls.read_text() + API)
    checked = made.manage("check")
    assert (checked.returncode, checked.stderr.count("(takeback.E002)")) == (1, 2)
    settings.write_text(settings.read_text() + FORMS)
    made.done("migrate")
    made.add_admin()
    return made


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sidecar whose gate lists a picture."""
    with running() as registry, serving(listing(registry, tmp_path_factory.mktemp("gate") / "gate")) as client:
        yield str(client.base_url).rstrip("/")


@pytest.fixture(scope="module")
def client(site: Site, sidecar: str) -> Iterator[httpx.Client]:
    """A client that is logged in."""
    with site.running(**using(sidecar)) as started:
        log_in(started, "/admin/login/")
        yield started


def using(sidecar: str) -> dict[str, str]:
    """The environment in which the site asks this sidecar."""
    return {"SITE_TAKEBACK": json.dumps({"sidecar": sidecar})}


def send(client: httpx.Client, path: str, data: bytes, field: str = "file", ajax: bool = False) -> httpx.Response:
    """Sends the form of a page with a file."""
    page = path if "chooser" not in path else "/admin/images/add/"
    form = {"csrfmiddlewaretoken": token(client, page), "title": "a title", "collection": "1"}
    prefix = "image-chooser-upload-" if "images/chooser" in path else ""
    prefix = "document-chooser-upload-" if "documents/chooser" in path else prefix
    form |= {prefix + name: value for name, value in form.items() if name != "csrfmiddlewaretoken"}
    headers = {**referring(client, page), **({"X-Requested-With": "XMLHttpRequest"} if ajax else {})}
    # Documents may not be called pictures; what a file is, its first bytes tell.
    name, kind = ("a.pdf", "application/pdf") if "documents" in path else ("a.jpg", "image/jpeg")
    return client.post(path, data=form, files={prefix + field: (name, data, kind)}, headers=headers)


def stored(site: Site) -> set[bytes]:
    """All files that the site stores, without renditions."""
    return {
        file.read_bytes() for name in ("original_images", "documents") for file in site.folder.glob(f"media/{name}/*")
    }


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["images", "documents"])
def test_a_single_upload(kind: str, client: httpx.Client, site: Site) -> None:
    """The page for one file refuses a listed one, and stores another one; it is saved again without its file."""
    path = f"/admin/{kind}/add/"
    assert REFUSED in send(client, path, COPY).text
    assert COPY not in stored(site)
    assert "added." in send(client, path, OTHER).text
    assert OTHER in stored(site)
    assert (REFUSED in send(client, path, BROKEN).text) == (kind == "documents")  # Wagtail refuses it as no picture


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["images", "documents"])
def test_a_multiple_upload(kind: str, client: httpx.Client, site: Site) -> None:
    """The page for several files refuses the listed one of them at once, and keeps nothing of it."""
    path = f"/admin/{kind}/multiple/add/"
    answer = send(client, path, COPY, "files[]", ajax=True).json()
    # For any document that is refused, Wagtail adds that the name of no file has a wrong ending.
    assert (answer["success"], answer["error_message"].splitlines()[0]) == (False, REFUSED)
    answer = send(client, path, OTHER, "files[]", ajax=True).json()
    assert answer["success"] is True
    assert COPY not in {file.read_bytes() for file in site.folder.glob("media/**/*") if file.is_file()}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["images", "documents"])
def test_the_chooser(kind: str, client: httpx.Client, site: Site) -> None:
    """The chooser in a page's editor refuses a listed file, and stores another one."""
    path = f"/admin/{kind}/chooser/create/"
    answer = send(client, path, COPY, ajax=True)
    assert (REFUSED in answer.text, answer.json()["step"]) == (True, "reshow_creation_form")
    assert send(client, path, OTHER, ajax=True).json()["step"] in {"chosen", "duplicate_found"}
    assert COPY not in stored(site)


@pytest.mark.timeout(400)
def test_an_editors_avatar(client: httpx.Client, site: Site) -> None:
    """The account page does not store a listed avatar, which its form has no place to say, and stores another one."""
    path = "/admin/account/"
    for data, pictures in ((COPY, 0), (OTHER, 1)):
        form = {**ACCOUNT, "csrfmiddlewaretoken": token(client, path)}
        files = {"avatar-avatar": ("a.jpg", data, "image/jpeg")}
        answer = client.post(path, data=form, files=files, headers=referring(client, path))
        assert ("have been changed successfully" in answer.text) == bool(pictures)
        assert len(list(site.folder.glob("media/avatar_images/*"))) == pictures


@pytest.mark.timeout(400)
def test_the_sidecar_is_away(site: Site, client: httpx.Client) -> None:
    """If no sidecar answers, a new file is refused; what is stored can still be edited."""
    assert "added." in send(client, "/admin/images/add/", OTHER).text
    with site.running(**using(AWAY)) as alone:
        log_in(alone, "/admin/login/")
        assert "cannot be checked now" in send(alone, "/admin/images/add/", OTHER).text
        first = re.search(r"/admin/images/(\d+)/", alone.get("/admin/images/").text)
        assert first is not None
        edit = first[0]
        form = {"csrfmiddlewaretoken": token(alone, edit), "title": "another title", "collection": "1"}
        names = ("focal_point_x", "focal_point_y", "focal_point_width", "focal_point_height", "description", "tags")
        form |= dict.fromkeys(names, "")
        assert "updated." in alone.post(edit, data=form, headers=referring(alone, edit)).text


@pytest.mark.timeout(400)
def test_the_api(site: Site, client: httpx.Client) -> None:
    """Wagtail's API, which takes a picture with a person's token, refuses a listed one and stores another one."""
    headers = {"Authorization": f"Bearer {site.done('shell', '-c', TOKEN, **using(AWAY)).split()[-1]}"}
    form = {"data": json.dumps({"title": "a title"}), "title": "a title"}
    for data, status in ((COPY, 422), (OTHER, 201)):
        files = {"file": ("a.jpg", data, "image/jpeg")}
        answer = client.post("/api/v3/images/", data=form, files=files, headers=headers)
        assert (answer.status_code, REFUSED in answer.text) == (status, status == 422), answer.text
    assert COPY not in stored(site)
