"""Reads event notifications of S3-compatible stores, and says which objects were written.

Amazon S3 (directly, through SNS with or without raw delivery, through EventBridge), MinIO and Ceph RGW send records in
one form; SeaweedFS sends changes of its filer. Sources: Amazon S3 User Guide, "Event message structure" and "Using
EventBridge"; SNS Developer Guide, "Parsing message formats"; MinIO, "Bucket notifications"; Ceph, "S3 bucket
notifications compatibility"; SeaweedFS, `notification.toml`. An event is a hint, not more: what is done follows from
the object alone.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus, urlsplit

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from takeback.errors import InvalidMessage

MAX_KEY_BYTES: Final = 1024
"""Length of a key in S3."""
_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{1,255}")
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOT_CONTENT: Final = frozenset({"PutTagging", "DeleteTagging", "PutRetention", "PutLegalHold", "PutAcl"})
"""What MinIO counts among `ObjectCreated` although the content stays; tags of our own would be checked again."""
_SNS_HOST: Final = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")


@dataclass(frozen=True, slots=True)
class Notice:
    """An object that was written. `version` is empty if the bucket has no versions; `event` is the event's id."""

    bucket: str
    key: str
    version: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a notification holds: objects that were written, and what the log is to say."""

    notices: tuple[Notice, ...] = ()
    say: str = ""


class _Object(Struct):
    key: str
    version: str | None = field(default=None, name="versionId")
    version_of_bridge: str | None = field(default=None, name="version-id")


class _Bucket(Struct):
    name: str


class _Where(Struct):
    bucket: _Bucket
    object: _Object


class _Record(Struct):
    name: str = field(name="eventName")
    source: str = field(default="", name="eventSource")
    response: dict[str, object] | None = field(default=None, name="responseElements")
    where: object = field(default=None, name="s3")


class _Envelope(Struct):
    """Every form of a notification that is known: the fields by which they are told apart, and what is used of each."""

    records: list[_Record] | UnsetType = field(default=UNSET, name="Records")
    event: str | UnsetType = field(default=UNSET, name="Event")
    type: str | UnsetType = field(default=UNSET, name="Type")
    message: str = field(default="", name="Message")
    address: str = field(default="", name="SubscribeURL")
    detail_type: str | UnsetType = field(default=UNSET, name="detail-type")
    source: str = ""
    detail: object = None
    id: str = ""
    event_type: str | UnsetType = UNSET
    key: str = ""
    change: object = field(default=None, name="message")


class _FilerEntry(Struct):
    name: str = ""
    is_directory: bool = False


class _FilerChange(Struct):
    new_entry: _FilerEntry | None = None
    new_parent_path: str = ""


def read_delivery(body: bytes) -> Delivery:
    """Reads a notification. Raises `InvalidMessage` if it is none, or if its key cannot be one."""
    return _read(body, may_wrap=True)


def _read(body: bytes | str, *, may_wrap: bool) -> Delivery:
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
        if envelope.records is not UNSET:
            return Delivery(tuple(one for record in envelope.records for one in _of_record(record)))
        if envelope.detail_type is not UNSET:
            return Delivery(_of_bridge(envelope))
        if envelope.event_type is not UNSET:
            return Delivery(_of_filer(envelope))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidMessage("the body is not an event notification of an S3-compatible store") from error
    if envelope.type is not UNSET and may_wrap:
        return _of_sns(envelope)
    if envelope.event == "s3:TestEvent":
        return Delivery(say="a test event arrived")
    raise InvalidMessage("the body is not an event notification of an S3-compatible store")


def _of_record(record: _Record) -> list[Notice]:
    if not _is_content(record.name):
        return []
    where = msgspec.convert(record.where, _Where)
    response = record.response or {}
    event = _plain_id(response.get("x-amz-request-id"))
    version = _version(where.object.version)
    keys = [unquote_plus(where.object.key, errors="strict")]
    if record.source not in {"aws:s3", "minio:s3"}:
        # Ceph escapes keys in some versions only: what does not exist is passed over later.
        keys.append(where.object.key)
    return [_notice(where.bucket.name, key, version, event) for key in dict.fromkeys(keys)]


def _is_content(name: str) -> bool:
    """Returns whether an event is about new content."""
    group, _, what = name.removeprefix("s3:").partition(":")
    return (group in {"ObjectCreated", "ObjectSynced"} and what not in _NOT_CONTENT) or (
        group == "ObjectRestore" and what == "Completed"
    )


def _of_bridge(envelope: _Envelope) -> tuple[Notice, ...]:
    if envelope.source != "aws.s3" or envelope.detail_type not in {"Object Created", "Object Restore Completed"}:
        return ()
    where = msgspec.convert(envelope.detail, _Where)
    version = _version(where.object.version_of_bridge)
    return (_notice(where.bucket.name, where.object.key, version, _plain_id(envelope.id)),)


def _of_filer(envelope: _Envelope) -> tuple[Notice, ...]:
    """Reads a change in SeaweedFS, whose buckets are folders below /buckets; parts of uploads are hidden folders."""
    change = msgspec.convert(envelope.change, _FilerChange) if envelope.change is not None else _FilerChange()
    entry = change.new_entry or _FilerEntry()
    path = envelope.key
    if envelope.event_type == "rename" and change.new_parent_path and entry.name:
        path = f"{change.new_parent_path.rstrip('/')}/{entry.name}"
    root, _, rest = path.removeprefix("/").partition("/")
    bucket, _, key = rest.partition("/")
    is_file = root == "buckets" and key and not key.startswith(".uploads/") and not entry.is_directory
    return (_notice(bucket, key, "", ""),) if is_file and envelope.event_type != "delete" else ()


def _of_sns(envelope: _Envelope) -> Delivery:
    """Reads what SNS sends. Nothing is fetched: a forged confirmation could name any address."""
    if envelope.type == "Notification":
        return _read(envelope.message, may_wrap=False)
    if envelope.type == "UnsubscribeConfirmation":
        return Delivery(say="an SNS subscription has ended: no further events arrive by it")
    if envelope.type != "SubscriptionConfirmation":
        raise InvalidMessage("the body is not an event notification of an S3-compatible store")
    if not _is_of_sns(envelope.address):
        return Delivery(say="an SNS subscription was not confirmed: its address is not Amazon's")
    return Delivery(say=f"to confirm the SNS subscription, open: {envelope.address}")


def _is_of_sns(address: str) -> bool:
    """Returns whether an address is one of SNS, and can stand in a line of the log."""
    if len(address) > 2000 or not (address.isascii() and address.isprintable()) or " " in address:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and _SNS_HOST.fullmatch(parts.netloc) is not None


def _notice(bucket: str, key: str, version: str, event: str) -> Notice:
    """Returns a notice. Raises `InvalidMessage` if there can be no such object."""
    if not _BUCKET.fullmatch(bucket):
        raise InvalidMessage("the event names no bucket")
    if not key or "\0" in key or len(key.encode()) > MAX_KEY_BYTES:
        raise InvalidMessage("the event names no key")
    return Notice(bucket, key, version, event)


def _version(version: str | None) -> str:
    if version and not (len(version) <= 1024 and version.isascii() and version.isprintable()):
        raise InvalidMessage("the event names no version")
    return version or ""


def _plain_id(given: object) -> str:
    return given if isinstance(given, str) and _PLAIN_ID.fullmatch(given) else ""
