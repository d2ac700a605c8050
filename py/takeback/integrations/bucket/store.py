"""The store, by S3's interface: looks objects up, fetches, tags, copies and removes them.

Every step names the version, or the ETag where a bucket has no versions, so that it acts on what was checked.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from takeback.errors import GateError, SettingsError

CONNECT_SECONDS: Final = 5
SILENT_SECONDS: Final = 30
"""For which the store may be silent within a request."""
CHUNK_BYTES: Final = 256 << 10
_GONE: Final = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "NotFound", "MethodNotAllowed", "405"})
"""What a store says of an object that is not there; the last two of a version that marks a deletion."""
_CHANGED: Final = frozenset({"412", "PreconditionFailed"})
_NO_TAGS: Final = frozenset({"501", "NotImplemented"})


class ObjectChanged(Exception):
    """The object is gone, or has other content than when it was looked up."""


class _Unsupported(GateError):
    """The store does not have what is asked for, as Garage has no tags."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Where the store is: its URL, empty for Amazon's, and for one fetch the limits in bytes and seconds."""

    endpoint: str = ""
    max_bytes: int = 100_000_000
    fetch_seconds: float = 300
    connections: int = 10


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it was looked up; `version` is empty in a bucket without versions."""

    bucket: str
    key: str
    etag: str
    size: int
    version: str
    kind: str = ""
    encoding: str = ""

    @property
    def name(self) -> dict[str, str]:
        """The object, as S3's requests name it."""
        version = {"VersionId": self.version} if self.version else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}


class ObjectStore:
    """A client of the store. Thread-safe. Its methods raise `GateError` if the store is away or refuses."""

    def __init__(self, options: StoreOptions) -> None:
        """Takes credentials and region from where AWS's tools do. Raises `SettingsError`."""
        self.options = options
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=SILENT_SECONDS,
            max_pool_connections=options.connections,
            retries={"mode": "standard", "total_max_attempts": 2},
            # Checksums in trailers are Amazon's: other stores take them for content, or refuse them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if options.endpoint else {},
        )
        try:
            session = botocore.session.Session()
            if session.get_credentials() is None:
                raise SettingsError(
                    "there are no credentials for the store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                )
            region = session.get_config_variable("region") or "us-east-1"
            self._client: Any = session.create_client(
                "s3", region_name=region, endpoint_url=options.endpoint or None, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(f"the store's settings cannot be used: {error}") from error

    def look_up(self, bucket: str, key: str, version: str = "") -> StoredObject | None:
        """Returns an object, or this version of it; None if it does not exist."""
        wanted = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        try:
            with _ours("HeadObject"):
                head = self._client.head_object(**wanted)
        except ObjectChanged:
            return None
        return StoredObject(
            bucket,
            key,
            head["ETag"],
            head["ContentLength"],
            head.get("VersionId", ""),
            head.get("ContentType", ""),
            head.get("ContentEncoding", ""),
        )

    def fetch(self, found: StoredObject, into: IO[bytes] | None = None) -> str:
        """Writes an object's bytes into a file, if there is one, and returns their SHA-256.

        Raises `ObjectChanged`, and `GateError` beyond the limits.
        """
        until = time.monotonic() + self.options.fetch_seconds
        digest, size = sha256(), 0
        with _ours("GetObject"), closing(self._client.get_object(**found.name, IfMatch=found.etag)["Body"]) as body:
            while part := body.read(CHUNK_BYTES):
                size += len(part)
                if size > self.options.max_bytes:
                    raise GateError("the store sends more than it announced")
                if time.monotonic() > until:
                    raise GateError("the object does not arrive in time")
                digest.update(part)
                if into:
                    into.write(part)
        return digest.hexdigest()

    def tags(self, found: StoredObject) -> dict[str, str]:
        """Returns an object's tags, none in a store without tags. Raises `ObjectChanged`."""
        try:
            with _ours("GetObjectTagging"):
                answer = self._client.get_object_tagging(**found.name)
        except _Unsupported:
            return {}
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def set_tags(self, found: StoredObject, tags: Mapping[str, str]) -> None:
        """Replaces an object's tags. Raises `ObjectChanged`."""
        if not tags:
            with _ours("DeleteObjectTagging"):
                self._client.delete_object_tagging(**found.name)
            return
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        with _ours("PutObjectTagging"):
            self._client.put_object_tagging(**found.name, Tagging={"TagSet": pairs})

    def copy(self, found: StoredObject, bucket: str, key: str) -> StoredObject:
        """Copies an object with its metadata within the store, and returns the copy. Raises `ObjectChanged`."""
        with _ours("CopyObject"):
            self._client.copy_object(
                Bucket=bucket, Key=key, CopySource=found.name, CopySourceIfMatch=found.etag, MetadataDirective="COPY"
            )
        copy = self.look_up(bucket, key)
        if copy is None:
            raise GateError("the copy is not in the quarantine")
        return copy

    def remove(self, found: StoredObject) -> None:
        """Removes an object: this version, or if there are none, what has this ETag. Raises `ObjectChanged`."""
        condition = {}
        if not found.version:
            # Amazon compares in the same step; other stores ignore the condition, so that it is compared before.
            now = self.look_up(found.bucket, found.key)
            if now is None or now.etag != found.etag:
                raise ObjectChanged
            condition = {"IfMatch": found.etag}
        with _ours("DeleteObject"):
            self._client.delete_object(**found.name, **condition)

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yields the keys of a bucket below a prefix."""
        pages = iter(self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
        while True:
            try:
                with _ours("ListObjectsV2"):
                    page = next(pages, None)
            except ObjectChanged as error:
                raise GateError(f"there is no bucket {bucket}") from error
            if page is None:
                return
            yield from (one["Key"] for one in page.get("Contents", ()))

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()


@contextmanager
def _ours(what: str) -> Iterator[None]:
    """Turns the client's errors into ours, without the text that may hold a key."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _GONE or code in _CHANGED:
            raise ObjectChanged from error
        kind = _Unsupported if code in _NO_TAGS else GateError
        raise kind(f"the store refuses {what}: {code or 'no reason given'}") from error
    except (BotoCoreError, HTTPClientError, OSError) as error:
        raise GateError(f"the store cannot be reached: {what}, {type(error).__name__}") from error
