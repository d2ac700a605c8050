"""The WordPress plugin in a real site, which asks a real sidecar or a real look-up service."""

import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from builder.release.wordpress import plugin_archive
from takeback.gate import Gate
from tests.gate.pictures import sent
from tests.gate.servers import Registry, followed, running
from tests.gate.sidecar import serving
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER
from tests.integrations.wordpress import doors
from tests.integrations.wordpress.site import NoWordPress, Site, running_site
from tests.lookup.services import running_service

pytestmark = pytest.mark.timeout(300)
HERE: Final = Path(__file__).parent
PAGE: Final = "/wp-admin/options-general.php?page=takeback"
AWAY: Final = "http://127.0.0.1:9"
TOKEN: Final = "a-token-of-the-tests"
REFUSED: Final = "This file cannot be posted here."
LATER: Final = "Files cannot be checked at the moment, so this one was not stored. Please try again in a few minutes."


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site into which the plugin was uploaded and where it was activated, by the pages for that."""
    try:
        with running_site(tmp_path_factory.mktemp("wordpress")) as site:
            (site.folder / "wp-content" / "mu-plugins").mkdir()
            shutil.copy(HERE / "doors.php", site.folder / "wp-content" / "mu-plugins")
            nonce = site.nonce("/wp-admin/plugin-install.php?tab=upload", r'name="_wpnonce" value="(\w+)"')
            files = {"pluginzip": ("takeback.zip", plugin_archive(), "application/zip")}
            done = site.admin.post("/wp-admin/update.php?action=upload-plugin", data={"_wpnonce": nonce}, files=files)
            (link,) = re.findall(r'href="(plugins\.php\?action=activate[^"]*)"', done.text)
            assert "Plugin activated." in site.admin.get(f"/wp-admin/{html.unescape(link)}").text
            yield site
    except NoWordPress as error:
        pytest.skip(str(error))


@pytest.fixture
def site(installed: Site) -> Iterator[Site]:
    """The site without settings and uploads; PHP has nothing to say of the plugin while the test runs."""
    installed.constants()
    installed.php(
        "foreach (get_posts(['post_type' => 'attachment', 'numberposts' => -1, 'post_status' => 'any']) as $one)"
        " { wp_delete_attachment($one->ID, true); }"
        "update_option('takeback_settings', []); delete_option('takeback_removed');"
    )
    installed.empty()
    yield installed
    assert installed.complaints() == []


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """A registry that lists a picture."""
    with running() as started:
        for one in sent(LISTED):
            started.log.add(one)
        yield started


@pytest.fixture(scope="module")
def home(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a gate that follows it."""
    return followed(registry, tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="module")
def sidecar(home: Path) -> Iterator[str]:
    """The address of a sidecar with a token."""
    with serving(home, token=TOKEN) as client:
        yield str(client.base_url).rstrip("/")


def save(site: Site, **values: str) -> str:
    """The settings page after it saved these values."""
    text = site.admin.get(PAGE).text
    form = {"option_page": "takeback", "action": "update", "_wp_http_referer": PAGE}
    found = re.search(r'name="_wpnonce" value="(\w+)"', text)
    assert found
    form["_wpnonce"] = found[1]
    form |= {f"takeback_settings[{name}]": value for name, value in values.items()}
    return site.admin.post("/wp-admin/options.php", data=form).text


def said(page: str) -> str:
    """What the settings page says of the connection."""
    found = re.search(r'role="status"><p><strong>(.*?)</strong>', page)
    assert found, page[-3000:]
    return html.unescape(found[1])


def waiting(site: Site, which: str = "review") -> str:
    """The media library's list of what waits."""
    return site.admin.get("/wp-admin/upload.php", params={"mode": "list", "takeback": which}).text


def decide(site: Site, action: str, client: httpx.Client | None = None) -> httpx.Response:
    """The answer to a moderator's click on the first upload that waits."""
    found = re.search(rf'href="([^"]*action=takeback_{action}[^"]*)"', waiting(site))
    assert found
    return (client or site.admin).get(html.unescape(found[1]))


@pytest.fixture(params=["sidecar", "lookup"])
def asking(request: pytest.FixtureRequest, home: Path, sidecar: str) -> Iterator[dict[str, str]]:
    """The settings of each of the two ways to ask."""
    if request.param == "sidecar":
        yield {"sidecar": sidecar, "token": TOKEN}
    else:
        with running_service(home) as service:
            yield {"lookup": service.address, "key": service.key}


def test_every_door(asking: dict[str, str], site: Site) -> None:
    """A listed picture and a smaller copy are refused by every door and leave no file; another one is stored."""
    assert said(save(site, **asking)) == "Ready: uploads are checked."
    for name, door in doors.ALL.items():
        for data in (LISTED, COPY):
            assert REFUSED in door(site, data), name
            assert site.uploads() == [], name
        assert door(site, OTHER) == "", name
        assert OTHER in [path.read_bytes() for path in site.uploads()]
        site.empty()
    assert "Not checked yet" not in waiting(site, "unchecked")


def test_what_a_client_reads(site: Site, sidecar: str) -> None:
    """The REST API says 422 and why, and 503 if nobody can decide; other errors stay as they are."""
    save(site, sidecar=sidecar, token=TOKEN)
    refused = doors.rest(site, COPY)
    assert (refused.status_code, refused.json()["code"], refused.json()["message"]) == (
        422,
        "takeback-blocked",
        REFUSED,
    )
    assert doors.rest(site, OTHER, "a.exe").json()["code"] == "rest_upload_unknown_error"
    site.constants(TAKEBACK_SIDECAR=AWAY)
    away = doors.rest(site, OTHER)
    assert (away.status_code, away.json()["code"], away.json()["message"]) == (503, "takeback-cannot-check", LATER)
    assert site.uploads() == []


def test_a_review_is_refused_or_waits(site: Site, sidecar: str) -> None:
    """A broken picture is refused; if that is set, it is stored, and waits in the library for a moderator."""
    save(site, sidecar=sidecar, token=TOKEN)
    assert doors.form(site, BROKEN) == REFUSED
    save(site, review="mark")
    for action, left in (("release", 1), ("refuse", 0)):
        assert doors.form(site, BROKEN) == ""
        assert "Waits for a review</strong><br>" in waiting(site)
        assert "1 upload waits for a review." in site.admin.get("/wp-admin/upload.php?mode=grid").text
        assert decide(site, action).status_code == 200
        assert "Waits for a review</strong>" not in waiting(site)
        assert len(site.uploads()) == left
        site.empty()


def test_only_a_moderator_decides(site: Site, sidecar: str) -> None:
    """The author of an upload cannot release it, nor can a link without the moderator's nonce."""
    save(site, sidecar=sidecar, token=TOKEN, review="mark")
    doors.form(site, BROKEN)
    site.php(
        "$id = username_exists('author') ?: wp_insert_user("
        " ['user_login' => 'author', 'user_pass' => 'x', 'role' => 'author']);"
        "wp_update_post(['ID' => get_posts(['post_type' => 'attachment'])[0]->ID, 'post_author' => $id]);"
    )
    with httpx.Client(base_url=site.url, timeout=60, follow_redirects=True) as author:
        author.get("/wp-login.php")
        author.post("/wp-login.php", data={"log": "author", "pwd": "x", "testcookie": "1"})
        mine = author.get("/wp-admin/upload.php?mode=list").text
        assert "takeback" not in re.sub(r"plugins/takeback", "", mine)
        assert decide(site, "release", author).status_code == 403
        assert author.get(PAGE).status_code == 403
    number = site.php("echo get_posts(['post_type' => 'attachment'])[0]->ID;")
    forged = site.admin.get(f"/wp-admin/admin-post.php?action=takeback_release&id={number}&_wpnonce=0123456789")
    assert forged.status_code == 403
    assert "Waits for a review</strong>" in waiting(site)


def test_too_large_for_the_sidecar(site: Site, sidecar: str) -> None:
    """A file that the sidecar finds too large does not pass because of that."""
    save(site, sidecar=sidecar, token=TOKEN, when_away="allow")
    assert doors.form(site, OTHER + bytes(1 << 20)) == REFUSED
    save(site, unreadable="allow")
    assert doors.form(site, OTHER + bytes(1 << 20)) == ""


def test_accepted_while_away_and_removed_later(site: Site, sidecar: str) -> None:
    """Of unchecked uploads the job deletes a listed one as soon as it can be checked; another one stays."""
    assert said(save(site, sidecar=AWAY, when_away="allow")).endswith("Uploads are accepted, and checked later.")
    assert (doors.form(site, COPY), doors.form(site, OTHER), doors.form(site, BROKEN)) == ("", "", "")
    assert waiting(site, "unchecked").count("Not checked yet") == 3
    site.run_cron()
    assert waiting(site, "unchecked").count("Not checked yet") == 3
    assert "takeback_recheck" in site.php("echo json_encode(_get_cron_array());")
    save(site, sidecar=sidecar, token=TOKEN)
    site.run_cron()
    kept = [path.read_bytes() for path in site.uploads()]
    assert COPY not in kept
    assert OTHER in kept
    assert "Not checked yet" not in waiting(site, "unchecked")
    assert "takeback" not in site.php("echo json_encode(_get_cron_array());")
    assert waiting(site).count("Waits for a review</strong>") == 1
    assert re.search(r"a\.jpg, uploaded by admin, deleted on", site.admin.get(PAGE).text)


def test_an_upload_that_took_no_known_door(site: Site, sidecar: str) -> None:
    """A file that a plugin wrote itself is checked by the job if it is in the media library."""
    save(site, sidecar=sidecar, token=TOKEN)
    doors.ajax(site, "written", COPY)
    assert len(site.uploads()) == 1
    site.run_cron()
    assert site.uploads() == []


def test_not_set_up(site: Site, sidecar: str) -> None:
    """Without an address uploads pass, the admin says so, and they are checked once an address is set."""
    assert "Takeback is not set up: uploads are not checked yet." in site.admin.get("/wp-admin/index.php").text
    assert said(site.admin.get(PAGE).text).startswith("Not set up")
    assert doors.form(site, COPY) == ""
    save(site, sidecar=sidecar, token=TOKEN)
    assert "Takeback is not set up" not in site.admin.get("/wp-admin/index.php").text
    site.run_cron()
    assert site.uploads() == []


def test_the_settings_page_keeps_secrets(site: Site, sidecar: str) -> None:
    """A secret is never printed, stays if none is given, and goes with its address."""
    assert TOKEN not in save(site, sidecar=sidecar, token=TOKEN)
    page = save(site, sidecar=sidecar, token="", review="mark")
    assert said(page) == "Ready: uploads are checked."
    assert TOKEN not in page
    assert "stored; leave empty to keep it" in page
    assert "does not accept the token" in said(save(site, sidecar=f"{sidecar}/", token=""))
    assert TOKEN not in site.php("echo json_encode(get_option('takeback_settings'));")


def test_the_settings_page_refuses(site: Site, sidecar: str) -> None:
    """What cannot be used is not saved, and is named; a form without a nonce changes nothing."""
    save(site, sidecar=sidecar, token=TOKEN)
    for values, reason in (
        ({"lookup": "https://lookup.example"}, "not both"),
        ({"sidecar": "http://gate.example"}, "must start with https://"),
        ({"sidecar": '"><script>alert(1)</script>'}, "malformed"),
        ({"sidecar": "", "lookup": "https://lookup.example", "key": "tbk_1"}, "key is malformed"),
    ):
        page = save(site, **values)
        assert reason in html.unescape(page), values
        assert "<script>alert" not in page
        assert said(page) == "Ready: uploads are checked."
    site.admin.post(
        "/wp-admin/options.php",
        data={"option_page": "takeback", "action": "update", "takeback_settings[sidecar]": AWAY},
    )
    assert said(site.admin.get(PAGE).text) == "Ready: uploads are checked."
    save(site, review="anything", when_away="<b>")
    assert json.loads(site.php("echo json_encode(get_option('takeback_settings'));"))["review"] == "refuse"


def test_constants_go_first(site: Site, sidecar: str) -> None:
    """Constants of wp-config.php decide; their token never goes to an address of the settings page."""
    site.constants(TAKEBACK_GATE_TOKEN=TOKEN)
    assert "does not accept the token" in said(save(site, sidecar=sidecar))
    site.constants(TAKEBACK_SIDECAR=sidecar, TAKEBACK_GATE_TOKEN=TOKEN, TAKEBACK_REVIEW="mark")
    page = save(site, sidecar=AWAY)
    assert said(page) == "Ready: uploads are checked."
    assert page.count("Set in wp-config.php.") == 5
    assert TOKEN not in page
    assert doors.form(site, BROKEN) == ""


def test_feedback(site: Site, home: Path, sidecar: str, registry: Registry) -> None:
    """If that is set, the registry learns which entry stopped an upload, and nothing of the uploader."""
    registry.feedback.clear()
    save(site, sidecar=sidecar, token=TOKEN)
    doors.form(site, COPY)
    save(site, report="yes")
    doors.form(site, LISTED)
    with Gate.open(home) as gate:
        gate.sync()
    assert [verdict for verdict, _ in registry.feedback.values()] == ["blocked"]


def test_feedback_of_moderators(site: Site, registry: Registry, tmp_path: Path) -> None:
    """If that is set, the registry learns whether a moderator released or refused what matched."""
    home = followed(registry, tmp_path / "gate")
    (home / "policy.toml").write_text('[pdq]\naction = "review"\n[patches]\naction = "review"\n')
    registry.feedback.clear()
    with serving(home) as client:
        save(site, sidecar=str(client.base_url), review="mark", report="yes")
        for action in ("release", "refuse"):
            assert doors.form(site, COPY) == ""
            assert decide(site, action).status_code == 200
    with Gate.open(home) as gate:
        gate.sync()
    assert sorted(verdict for verdict, _ in registry.feedback.values()) == ["blocked", "not_blocked"]


def test_uninstalling(site: Site) -> None:
    """Uninstalled, the plugin leaves no setting, mark or job; uploads stay."""
    save(site, sidecar=AWAY, when_away="allow")
    doors.form(site, OTHER)
    options = "SELECT COUNT(*) FROM wp_options WHERE option_name LIKE 'takeback%'"
    meta = "SELECT COUNT(*) FROM wp_postmeta WHERE meta_key LIKE '%takeback%'"
    count = f'global $wpdb; echo $wpdb->get_var("SELECT ({options}) + ({meta})");'
    assert int(site.php(count)) > 1
    plugin = "require_once ABSPATH . 'wp-admin/includes/plugin.php'; $name = 'takeback/takeback.php';"
    site.php(f"{plugin} deactivate_plugins($name); uninstall_plugin($name);")
    assert site.php(count) == "0"
    assert "takeback" not in site.php("echo json_encode(_get_cron_array());")
    assert site.uploads() != []
    site.php(f"{plugin} activate_plugin($name);")
