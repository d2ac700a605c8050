"""The ways of a file into WordPress, each as its users take it."""

import xmlrpc.client
from collections.abc import Mapping
from typing import Final
from xml.parsers.expat import ExpatError

import httpx

from tests.integrations.wordpress.site import PASSWORD, Site

JPEG: Final = "image/jpeg"


def rest(site: Site, data: bytes, name: str = "a.jpg") -> httpx.Response:
    """The answer of the REST API to a form, as the block editor sends it."""
    return site.rest.post("/", params={"rest_route": "/wp/v2/media"}, files={"file": (name, data, JPEG)})


def raw(site: Site, data: bytes) -> str:
    """What the REST API says of a file as a request's body; empty if it stores it."""
    headers = {"Content-Disposition": 'attachment; filename="a.jpg"', "Content-Type": JPEG}
    answer = site.rest.post("/", params={"rest_route": "/wp/v2/media"}, content=data, headers=headers)
    return "" if answer.status_code == 201 else answer.json()["message"]


def form(site: Site, data: bytes) -> str:
    """What the REST API says of a form."""
    answer = rest(site, data)
    return "" if answer.status_code == 201 else answer.json()["message"]


def library(site: Site, data: bytes) -> str:
    """What the media library's uploader says."""
    nonce = site.nonce("/wp-admin/media-new.php", r'"_wpnonce":"(\w+)"')
    values = {"action": "upload-attachment", "_wpnonce": nonce, "name": "a.jpg"}
    answer = site.admin.post("/wp-admin/async-upload.php", data=values, files={"async-upload": ("a.jpg", data, JPEG)})
    told = answer.json()
    return "" if told["success"] else told["data"]["message"]


def xml_rpc(site: Site, data: bytes) -> str:
    """What XML-RPC says, which the oldest clients use."""
    struct: Mapping[str, object] = {"name": "a.jpg", "type": JPEG, "bits": xmlrpc.client.Binary(data)}
    body = xmlrpc.client.dumps((0, "admin", PASSWORD, struct), "wp.uploadFile")  # type: ignore[arg-type]
    answer = site.rest.post("/xmlrpc.php", content=body.encode(), headers={"Content-Type": "text/xml"})
    try:
        xmlrpc.client.loads(answer.text)
    except xmlrpc.client.Fault as fault:
        return fault.faultString
    except ExpatError as error:
        raise AssertionError(answer.text) from error
    return ""


def avatar(site: Site, data: bytes) -> str:
    """What a plugin says that names a hook of its own, as BuddyPress does."""
    return ajax(site, "avatar", data).get("error", "")


def fetched(site: Site, data: bytes) -> str:
    """What a plugin says that fetches a picture from elsewhere."""
    return ajax(site, "fetched", data).get("error", "")


def ajax(site: Site, action: str, data: bytes) -> dict[str, str]:
    """The answer of one of the plugins of `doors.php`."""
    files = {"file": ("a.jpg", data, JPEG)}
    answer = site.admin.post("/wp-admin/admin-ajax.php", data={"action": action}, files=files)
    told: dict[str, str] = answer.json()
    return told


ALL: Final = {one.__name__: one for one in (form, raw, library, xml_rpc, avatar, fetched)}
