"""The proxy before a real forum, django-machina: attachments and avatars by its own forms."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.gate.servers import running
from tests.gate.sidecar import serving
from tests.integrations.django_sites import Site, log_in, packages, referring, token
from tests.integrations.proxies import BROKEN, COPY, OTHER, listing, proxying

HERE: Final = Path(__file__).parent
ROUTES: Final = (
    "--route",
    "POST /forum/** field=attachment-*",
    "--route",
    "POST /member/profile/edit/ field=avatar",
)
REFUSED: Final = "This was not accepted."
AVATAR: Final = "/member/profile/edit/"
FORUM: Final = """
from machina.apps.forum.models import Forum
made = Forum.objects.create(name="General", type=Forum.FORUM_POST)
print(f"/forum/{made.slug}-{made.pk}/topic/create/")
"""


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, str]:
    """A forum, and the path of its form for a new topic."""
    path = packages(HERE / "forum.lock")
    made = Site(tmp_path_factory.mktemp("forum") / "site", path)
    shutil.copytree(HERE / "forum", made.folder, ignore=shutil.ignore_patterns("__pycache__"))
    made.done("migrate")
    made.add_admin()
    return made, made.done("shell", "-c", FORUM).split()[-1]


@pytest.fixture(scope="module")
def client(forum: tuple[Site, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the proxy before the forum, logged in through it."""
    home = tmp_path_factory.mktemp("gate") / "gate"
    with running() as registry, serving(listing(registry, home)) as sidecar, forum[0].running() as direct:
        options = (*ROUTES, "--sidecar", str(sidecar.base_url).rstrip("/"), "--review", "pass", "--block-text", REFUSED)
        with proxying(str(direct.base_url).rstrip("/"), *options) as (through, _):
            through.follow_redirects = True
            log_in(through, "/admin/login/")
            yield through


def write(client: httpx.Client, path: str, *files: bytes) -> httpx.Response:
    """Sends the form of a topic or an answer with attachments, as its page has it."""
    form = {"csrfmiddlewaretoken": token(client, path), "subject": "a subject", "content": "a text", "topic_type": "0"}
    for prefix in ("attachment", "poll"):
        counts = {"TOTAL_FORMS": str(len(files)) if prefix == "attachment" else "0", "INITIAL_FORMS": "0"}
        form |= {f"{prefix}-{name}": value for name, value in counts.items()}
    form |= {f"attachment-{number}-comment": "a comment" for number in range(len(files))}
    sent = [(f"attachment-{number}-file", ("a.jpg", data, "image/jpeg")) for number, data in enumerate(files)]
    return client.post(path, data=form, files=sent, headers=referring(client, path))


def kept(site: Site) -> list[bytes]:
    """All that the forum stores of uploads, drafts included."""
    folders = [site.folder / "media", site.folder / "drafts"]
    return [file.read_bytes() for folder in folders for file in folder.glob("**/*") if file.is_file()]


@pytest.mark.timeout(400)
def test_attachments_of_a_topic_and_an_answer(forum: tuple[Site, str], client: httpx.Client) -> None:
    """A topic or an answer with a listed attachment among others is refused, and the forum has nothing of it."""
    site, create = forum
    assert (write(client, create, OTHER, COPY).status_code, kept(site)) == (422, [])
    assert REFUSED in write(client, create, COPY).text
    topic = write(client, create, OTHER)
    assert "a subject" in topic.text
    assert "/topic/a-subject-1/" in str(topic.url)
    assert OTHER in kept(site)
    answer = re.search(r'href="(/forum/[\w/-]+/post/create/)"', topic.text)
    assert answer is not None
    assert write(client, answer[1], COPY).status_code == 422
    assert "/topic/a-subject-1/" in str(write(client, answer[1], BROKEN).url)
    assert BROKEN in kept(site)
    assert COPY not in kept(site)


@pytest.mark.timeout(400)
def test_an_avatar(forum: tuple[Site, str], client: httpx.Client) -> None:
    """A listed avatar is refused, and another one is stored, with the forum's protection against forged forms."""
    site, _ = forum
    ours, foreign = referring(client, AVATAR), {"Origin": "https://elsewhere.example"}
    for data, headers, status, count in ((COPY, ours, 422, 0), (OTHER, foreign, 403, 0), (OTHER, ours, 200, 1)):
        form = {"csrfmiddlewaretoken": token(client, AVATAR), "signature": "a signature"}
        files = {"avatar": ("a.jpg", data, "image/jpeg")}
        assert client.post(AVATAR, data=form, files=files, headers=headers).status_code == status
        assert len(list(site.folder.glob("media/machina/avatar_images/*"))) == count
