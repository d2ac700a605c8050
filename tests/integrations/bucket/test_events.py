import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from takeback.errors import InvalidMessage
from takeback.integrations.bucket.events import MAX_KEY_BYTES, Delivery, Notice, read_delivery
from tests.integrations.s3_stores import event

BUCKET = "uploads"


def read(body: object) -> Delivery:
    return read_delivery(json.dumps(body).encode())


def record(source: str, name: str = "ObjectCreated:Put", key: str = "a+b%2Bc.jpg", **more: str) -> dict[str, Any]:
    """A record of the form that Amazon, MinIO and Ceph share."""
    where = {"bucket": {"name": BUCKET, "arn": "arn:aws:s3:::uploads"}, "object": {"key": key, "size": 3, **more}}
    return {"eventVersion": "2.1", "eventSource": source, "eventName": name, "s3": {"s3SchemaVersion": "1.0", **where}}


def test_amazon() -> None:
    """Records of Amazon S3 name bucket, key and version; the key is unpacked from a form's escapes."""
    records = [record("aws:s3", versionId="v1"), record("aws:s3", "ObjectRemoved:Delete")]
    assert read({"Records": records}).notices == (Notice(BUCKET, "a b+c.jpg", "v1"),)
    assert read({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}).say == "a test event arrived"


def test_minio() -> None:
    """MinIO's webhook names the object and an id; changes of tags, which are ours too, are passed over."""
    assert read(event(BUCKET, "ä/b c.jpg", "v1")).notices == (Notice(BUCKET, "ä/b c.jpg", "v1", "17C0FFEE"),)
    for name in ("s3:ObjectCreated:PutTagging", "s3:ObjectAccessed:Get", "s3:ObjectRemoved:Delete"):
        assert read(event(BUCKET, "a", name=name)).notices == ()
    assert len(read(event(BUCKET, "a", name="s3:ObjectCreated:CompleteMultipartUpload")).notices) == 1


def test_ceph() -> None:
    """Ceph's records are read in both ways, because only some of its versions escape keys."""
    found = read({"Records": [record("ceph:s3", "s3:ObjectCreated:Put")]}).notices
    assert [notice.key for notice in found] == ["a b+c.jpg", "a+b%2Bc.jpg"]
    assert len(read({"Records": [record("ceph:s3", "ObjectSynced:Create", "plain.jpg")]}).notices) == 1


def test_eventbridge() -> None:
    """EventBridge's keys are not escaped; other events pass without a notice."""
    detail = {"bucket": {"name": BUCKET}, "object": {"key": "a+b%2B.jpg", "version-id": "v1"}, "reason": "PutObject"}
    body = {"version": "0", "id": "1-2", "detail-type": "Object Created", "source": "aws.s3", "detail": detail}
    assert read(body).notices == (Notice(BUCKET, "a+b%2B.jpg", "v1", "1-2"),)
    assert read({**body, "source": "aws.ec2"}).notices == ()
    assert read({**body, "detail-type": "Object Deleted"}).notices == ()


def test_sns() -> None:
    """SNS wraps an event as text; its confirmation is told to the operator, and only if it leads to Amazon."""
    inner = {"Records": [record("aws:s3")]}
    assert len(read({"Type": "Notification", "Message": json.dumps(inner)}).notices) == 1
    address = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1"
    assert read({"Type": "SubscriptionConfirmation", "SubscribeURL": address}).say.endswith(address)
    assert "ended" in read({"Type": "UnsubscribeConfirmation", "SubscribeURL": address}).say
    for wrong in (
        "http://sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com.example/",
        "https://x@169.254.169.254/",
        "https://sns.eu-west-1.amazonaws.com/\n2026-01-01T00:00:00Z a forged line",
        "https://[",
        "https://sns.eu-west-1.amazonaws.com/" + "a" * 2000,
    ):
        said = read({"Type": "SubscriptionConfirmation", "SubscribeURL": wrong})
        assert said == Delivery(say="an SNS subscription was not confirmed: its address is not Amazon's")


def test_seaweedfs() -> None:
    """A change in SeaweedFS's filer names a path below /buckets; folders, parts and deletions are passed over."""
    made = {"key": "/buckets/uploads/a/b+c.jpg", "event_type": "create", "message": {"new_entry": {"name": "b+c.jpg"}}}
    assert read(made).notices == (Notice(BUCKET, "a/b+c.jpg"),)
    moved = {"new_entry": {"name": "d.jpg"}, "new_parent_path": "/buckets/uploads/c"}
    assert read({**made, "event_type": "rename", "message": moved}).notices == (Notice(BUCKET, "c/d.jpg"),)
    folder = {"new_entry": {"name": "b", "is_directory": True}}
    for other in ({"event_type": "delete"}, {"key": "/etc/x/y"}, {"key": "/buckets/uploads"}, {"message": folder}):
        assert read({**made, **other}).notices == ()
    assert read({**made, "key": "/buckets/uploads/.uploads/1/0001.part"}).notices == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"Records": 1}',
        b'{"Records": [{"eventName": "ObjectCreated:Put"}]}',
        b'{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "a/b"}, "object": {"key": "a"}}}]}',
        b'{"Type": "Notification", "Message": "hello"}',
        b'{"Type": "Notification", "Message": "{\\"Type\\": \\"Notification\\", \\"Message\\": \\"\\"}"}',
        b'{"Type": "Other"}',
        b"[" * 100_000,
        json.dumps(event(BUCKET, "")).encode(),
        json.dumps(event(BUCKET, "a" * (MAX_KEY_BYTES + 1))).encode(),
        json.dumps(event(BUCKET, "a\0b")).encode(),
        json.dumps({"Records": [record("aws:s3", key="%ff")]}).encode(),
        json.dumps({"Records": [record("aws:s3", versionId="\n")]}).encode(),
    ],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    """Whatever is no event, or names what cannot be an object, is refused with our error."""
    with pytest.raises(InvalidMessage):
        read_delivery(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["Notification", "create", "aws.s3"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Records", "Type", "Message", "key", "event_type", "s3", "detail"]), inner)
    ),
    max_leaves=12,
)


@given(st.one_of(st.binary(), JSON.map(lambda body: json.dumps(body).encode())))
@example(b'"\\ud800"')
def test_any_body(body: bytes) -> None:
    """Any body is read or refused with our error."""
    try:
        assert isinstance(read_delivery(body), Delivery)
    except InvalidMessage as error:
        assert str(error)


KEYS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=200)


@given(KEYS, st.text("abc123-", max_size=9))
def test_any_key_is_read_back(key: str, version: str) -> None:
    """Whatever key an event names is read as it is, and a notice holds nothing else."""
    assert read(event(BUCKET, key, version)).notices == (Notice(BUCKET, key, version, "17C0FFEE"),)
