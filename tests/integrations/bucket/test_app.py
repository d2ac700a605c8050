import base64
import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from takeback.cli import main
from tests.gate.sidecar import serving
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER
from tests.integrations.s3_stores import S3, decided, event, send, stalling, watching
from tests.integrations.services import PROGRAM, environment, until

AWAY = "http://127.0.0.1:9"
TOKEN = "a-token"


def test_a_listed_picture_is_moved(s3: S3, sidecar: str, tmp_path: Path) -> None:
    """A copy of a listed picture is moved to the quarantine with metadata and tags; another object stays as it is."""
    bucket, held = s3.bucket(), s3.bucket()
    listed = s3.put(
        bucket, "user 7/ä+b.jpg", COPY, ContentType="image/jpeg", Metadata={"owner": "7"}, Tagging="album=1"
    )
    other = s3.put(bucket, "other.jpg", OTHER, ContentType="image/jpeg", Tagging="album=1")
    options = ("--bucket", bucket, "--quarantine", f"{held}/held", "--sidecar", sidecar)
    with watching(s3, tmp_path, *options) as service:
        send(service, listed, other)
        assert s3.keys(bucket) == ["other.jpg"]
        assert s3.tags(bucket, "other.jpg") == {"album": "1"}
        (key,) = s3.keys(held)
        assert key.startswith(f"held/{bucket}/user 7/ä+b.jpg~")
        kept = s3.client.get_object(Bucket=held, Key=key)
        assert (kept["Body"].read(), kept["ContentType"], kept["Metadata"]) == (COPY, "image/jpeg", {"owner": "7"})
        assert s3.tags(held, key) == {"album": "1", "takeback": "block"}
        assert "(17C0FFEE): block, decision " in service.log
        assert "user 7" not in service.log
        # The same notification again, one of an object that is gone, and one of the quarantine.
        send(service, listed, other, event(bucket, "none.jpg"), event(held, key))
        assert s3.keys(held) == [key]


def test_tags(s3: S3, sidecar: str, tmp_path: Path) -> None:
    """With `--block tag` objects stay and are tagged beside what is there; a tag that no longer holds is taken away."""
    bucket = s3.bucket()
    events = [
        s3.put(bucket, "listed.jpg", LISTED, Tagging="album=1"),
        s3.put(bucket, "broken.jpg", BROKEN),
        s3.put(bucket, "other.jpg", OTHER, Tagging="takeback=block&album=1"),
        s3.put(bucket, "empty", b""),
        s3.put(bucket, "text.txt", b"hello"),
    ]
    with watching(s3, tmp_path, "--bucket", bucket, "--block", "tag", "--sidecar", sidecar, "--log-keys") as service:
        send(service, *events)
        assert s3.tags(bucket, "listed.jpg") == {"album": "1", "takeback": "block"}
        assert s3.tags(bucket, "broken.jpg") == {"takeback": "review"}
        assert s3.tags(bucket, "other.jpg") == {"album": "1"}
        assert s3.tags(bucket, "empty") == s3.tags(bucket, "text.txt") == {}
        assert f"of {bucket} 'listed.jpg': block" in service.log
        send(service, events[0])
        assert "tagged before" in service.log


@pytest.mark.parametrize(("review", "stays", "tags"), [("quarantine", False, {}), ("nothing", True, {})])
def test_review(review: str, stays: bool, tags: dict[str, str], s3: S3, sidecar: str, tmp_path: Path) -> None:
    """What asks for a review is moved or left as it is, by the setting."""
    bucket, held = s3.bucket(), s3.bucket()
    doubtful = s3.put(bucket, "broken.jpg", BROKEN)
    options = ("--bucket", bucket, "--quarantine", held, "--review", review, "--sidecar", sidecar)
    with watching(s3, tmp_path, *options) as service:
        send(service, doubtful)
        assert s3.keys(bucket) == (["broken.jpg"] if stays else [])
        assert len(s3.keys(held)) == (0 if stays else 1)
        assert not stays or s3.tags(bucket, "broken.jpg") == tags
        assert ": review, decision " in service.log


def test_versions(s3: S3, sidecar: str, tmp_path: Path) -> None:
    """In a bucket with versions the version that was checked is removed, and no other one."""
    bucket, held = s3.bucket(versions=True), s3.bucket()
    first = s3.put(bucket, "a.jpg", OTHER)
    listed = s3.put(bucket, "a.jpg", COPY)
    with watching(s3, tmp_path, "--bucket", bucket, "--quarantine", held, "--sidecar", sidecar) as service:
        send(service, listed)
        assert s3.versions(bucket) == [first["Records"][0]["s3"]["object"]["versionId"]]
        assert s3.client.get_object(Bucket=bucket, Key="a.jpg")["Body"].read() == OTHER
        # A version that was covered by a later one is checked by its own event.
        covered = s3.put(bucket, "b.jpg", COPY)
        s3.put(bucket, "b.jpg", OTHER)
        send(service, covered)
        assert len(s3.versions(bucket)) == 2
        assert len(s3.keys(held)) == 2
        # One without a version checks what is there now.
        s3.put(bucket, "c.jpg", OTHER)
        s3.put(bucket, "c.jpg", COPY)
        send(service, event(bucket, "c.jpg", etag="another"))
        assert len(s3.keys(held)) == 3


def test_a_quarantine_in_the_same_bucket(s3: S3, sidecar: str, tmp_path: Path) -> None:
    """A quarantine may be a folder of the bucket; what is in it is not checked again."""
    bucket = s3.bucket()
    listed = s3.put(bucket, "a" * 1000, COPY)
    with watching(s3, tmp_path, "--bucket", bucket, "--quarantine", f"{bucket}/held", "--sidecar", sidecar) as service:
        send(service, listed)
        (key,) = s3.keys(bucket)
        assert key.startswith(f"held/{bucket}/")
        send(service, event(bucket, key))
        assert s3.keys(bucket) == [key]


def test_packed_and_too_large(s3: S3, sidecar: str, tmp_path: Path) -> None:
    """Content is checked as browsers unpack it; if it cannot be unpacked it is doubtful, if too large unchecked."""
    bucket = s3.bucket()
    events = [
        s3.put(bucket, "packed", gzip.compress(COPY), ContentEncoding="gzip"),
        s3.put(bucket, "packed-other", gzip.compress(OTHER), ContentEncoding="gzip"),
        s3.put(bucket, "bomb", gzip.compress(bytes(3_000_000)), ContentEncoding="gzip"),
        s3.put(bucket, "damaged", b"no gzip", ContentEncoding="gzip"),
        s3.put(bucket, "brotli", COPY, ContentEncoding="br"),
        s3.put(bucket, "large", bytes(1_000_001)),
    ]
    options = ("--bucket", bucket, "--block", "tag", "--sidecar", sidecar, "--max-megabytes", "1")
    with watching(s3, tmp_path, *options) as service:
        send(service, *events)
        tags = {key: s3.tags(bucket, key).get("takeback", "") for key in s3.keys(bucket)}
        doubtful = dict.fromkeys(("bomb", "brotli", "damaged"), "review")
        assert tags == {**doubtful, "packed": "block", "packed-other": "", "large": "unchecked"}
        assert "too large to be checked" in service.log


def test_nothing_is_lost_when_it_is_killed(s3: S3, sidecar: str, tmp_path: Path) -> None:
    """A notification that was answered is worked on after a kill -9, by whoever starts next."""
    bucket, held = s3.bucket(), s3.bucket()
    listed = [s3.put(bucket, f"{number}.jpg", COPY) for number in range(5)]
    options = ("--bucket", bucket, "--quarantine", held)
    with watching(s3, tmp_path, *options, "--sidecar", AWAY) as service:
        for one in listed:
            assert service.client.post("/events", json=one).status_code == 200
        service.kill()
    assert len(s3.keys(bucket)) == 5
    with watching(s3, tmp_path, *options, "--sidecar", sidecar) as service:
        until(lambda: decided(service))
        assert s3.keys(bucket) == []
        assert len(s3.keys(held)) == 5


def test_killed_between_copy_and_removal(s3: S3, sidecar: str, tmp_path: Path) -> None:
    """What was copied and not yet removed at a kill -9 is moved by whoever starts next, to the same place."""
    bucket, held = s3.bucket(), s3.bucket()
    listed = s3.put(bucket, "a.jpg", COPY)
    options = ("--bucket", bucket, "--quarantine", held, "--sidecar", sidecar)
    with stalling(s3) as (slow, reached), watching(slow, tmp_path, *options) as service:
        assert service.client.post("/", json=listed).status_code == 200
        assert reached.wait(40)
        service.kill()
    copied = s3.keys(held)
    assert (s3.keys(bucket), len(copied)) == (["a.jpg"], 1)
    with watching(s3, tmp_path, *options) as service:
        until(lambda: decided(service))
    assert (s3.keys(bucket), s3.keys(held)) == ([], copied)


def test_written_again_while_it_is_moved(s3: S3, sidecar: str, tmp_path: Path) -> None:
    """An upload that replaces a listed picture while that is moved is not removed in its place."""
    bucket, held = s3.bucket(), s3.bucket()
    listed = s3.put(bucket, "a.jpg", COPY)
    options = ("--bucket", bucket, "--quarantine", held, "--sidecar", sidecar)

    def replace() -> None:
        s3.put(bucket, "a.jpg", OTHER)

    with stalling(s3, "PUT", replace) as (slow, _), watching(slow, tmp_path, *options) as service:
        send(service, listed)
        assert s3.client.get_object(Bucket=bucket, Key="a.jpg")["Body"].read() == OTHER


def test_a_sidecar_that_comes_back(s3: S3, home: Path, tmp_path: Path) -> None:
    """While nobody can decide objects are tagged unchecked; they are decided on when somebody can."""
    bucket = s3.bucket()
    with serving(home) as client:
        port = client.base_url.port
    address = f"http://127.0.0.1:{port}"
    with watching(s3, tmp_path, "--bucket", bucket, "--block", "tag", "--sidecar", address) as service:
        for key, content in (("listed.jpg", COPY), ("other.jpg", OTHER)):
            assert service.client.post("/", json=s3.put(bucket, key, content)).status_code == 200
        until(lambda: s3.tags(bucket, "listed.jpg") == {"takeback": "unchecked"} or "unchecked" in service.log)
        assert not decided(service)
        sidecar = (*PROGRAM, "serve", "--home", str(home), "--port", str(port), "--processes", "1")
        with subprocess.Popen(sidecar, env=environment(), stdout=subprocess.DEVNULL) as process:
            try:
                until(lambda: decided(service))
            finally:
                process.terminate()
        assert s3.tags(bucket, "listed.jpg") == {"takeback": "block"}
        assert s3.tags(bucket, "other.jpg") == {}
        assert "decisions are possible again" in service.log


def test_a_store_that_is_away(sidecar: str, tmp_path: Path) -> None:
    """If the store does not answer, notifications are taken and wait."""
    with watching(S3(AWAY, None), tmp_path, "--bucket", "uploads", "--block", "tag", "--sidecar", sidecar) as service:
        assert service.client.post("/", json=event("uploads", "a.jpg")).status_code == 200
        until(lambda: "the store cannot be reached" in service.log)
        assert not decided(service)
        assert "a.jpg" not in service.log


def test_whoever_calls(tmp_path: Path) -> None:
    """With a token only its holder is heard, as bearer or by a password; malformed and huge bodies are refused."""
    options = ("--bucket", "uploads", "--block", "tag", "--sidecar", AWAY)
    with watching(S3(AWAY, None), tmp_path, *options, TAKEBACK_BUCKET_TOKEN=TOKEN) as service:
        client = service.client
        body: dict[str, list[str]] = {"Records": []}
        refused = client.post("/", json=body)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Basic realm="takeback"')
        basic = base64.b64encode(b"sns:wrong").decode()
        for wrong in ("Bearer wrong", "Bearer", f"Basic {basic}", "Basic \xe4", "Digest x"):
            assert client.post("/", json=body, headers={b"authorization": wrong.encode("latin-1")}).status_code == 401
        assert client.post("/", json=body, auth=("sns", TOKEN)).status_code == 200
        client.headers["authorization"] = f"Bearer {TOKEN}"
        assert client.post("/", json=body).json() == {"kept": 0}
        assert client.post("/", content=b"{").status_code == 400
        assert client.post("/", content=b" " * 2_000_000).status_code == 413
        assert client.post("/", content=iter([b" " * 1_000_000] * 2)).status_code == 413
        assert client.get("/").status_code == 405
        assert client.post("/elsewhere").status_code == 404
        assert decided(service)


def test_a_subscription_is_never_confirmed_by_itself(tmp_path: Path) -> None:
    """The address in a confirmation of SNS is not asked, but told in the log."""
    address = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1"
    told = {"Type": "SubscriptionConfirmation", "SubscribeURL": address, "Message": "You have chosen to subscribe"}
    with watching(S3(AWAY, None), tmp_path, "--bucket", "a", "--block", "tag", "--sidecar", AWAY) as service:
        given = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "SubscriptionConfirmation"}
        assert service.client.post("/", content=json.dumps(told), headers=given).status_code == 200
        assert f"to confirm the SNS subscription, open: {address}" in service.log
        assert service.client.post("/", json={**told, "SubscribeURL": AWAY}).status_code == 200
        assert AWAY not in service.log.split("Token=1")[1]


def test_a_folder_is_asked(s3: S3, home: Path, tmp_path: Path) -> None:
    """The service can ask a gate's folder, which needs no sidecar, and gives feedback if that is wanted."""
    bucket = s3.bucket()
    listed = s3.put(bucket, "a.jpg", COPY)
    with watching(s3, tmp_path, "--bucket", bucket, "--block", "tag", "--home", str(home), "--report") as service:
        send(service, listed)
        assert s3.tags(bucket, "a.jpg") == {"takeback": "block"}
        assert "feedback could not" not in service.log


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without credentials for the store the service does not start."""
    pytest.importorskip("botocore")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    options = ("--bucket", "a", "--block", "tag", "--sidecar", AWAY, "--sweep")
    done = CliRunner().invoke(main, ["gate", "bucket", *options])
    assert (done.exit_code, "no credentials" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--bucket", "a"), "name the quarantine"),
        (("--bucket", "a", "--quarantine", "a"), "needs a prefix"),
        (("--bucket", "a", "--block", "tag", "--sidecar", AWAY), "name a file"),
        (("--bucket", "a", "--block", "tag", "--queue", "q", "--listen", "0.0.0.0:0", "--sidecar", AWAY), "TOKEN"),
        (("--bucket", "a", "--block", "tag", "--queue", "q", "--listen", "here", "--sidecar", AWAY), "HOST:PORT"),
        (("--bucket", "a", "--block", "tag", "--endpoint", "ftp://x", "--sidecar", AWAY), "--endpoint must begin"),
        (("--bucket", "a", "--block", "tag", "--queue", "q"), "none is set"),
    ],
)
def test_settings_that_cannot_be_used(
    options: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing or dangerous is told before anything starts."""
    pytest.importorskip("botocore")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["gate", "bucket", *options])
    assert done.exit_code == 2
    assert said in done.output
