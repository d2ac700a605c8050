import subprocess

from tests.integrations.proxies import BROKEN, COPY, OTHER
from tests.integrations.s3_stores import CREDENTIALS, S3
from tests.integrations.services import PROGRAM, environment

AWAY = "http://127.0.0.1:9"


def swept(s3: S3, *options: str) -> tuple[int, str, str]:
    """The exit code of a sweep, what it says, and its log."""
    command = [*PROGRAM, "bucket", "--endpoint", s3.url, "--sweep", *options]
    done = subprocess.run(command, env=environment(**CREDENTIALS), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_what_was_missed(s3: S3, sidecar: str) -> None:
    """A sweep checks what has no tag or is unchecked, below a prefix if one is given, and passes over the rest."""
    bucket, held = s3.bucket(), s3.bucket()
    for key, content, tags in (
        ("a/missed.jpg", COPY, "album=1"),
        ("a/waiting.jpg", COPY, "takeback=unchecked"),
        ("a/other.jpg", OTHER, ""),
        ("a/reviewed.jpg", BROKEN, "takeback=review"),
        ("b/missed.jpg", COPY, ""),
    ):
        s3.put(bucket, key, content, Tagging=tags)
    options = ("--bucket", bucket, "--quarantine", held, "--sidecar", sidecar)
    code, said, log = swept(s3, *options, "--prefix", "a/", "--tag-allowed")
    assert (code, said) == (0, "1 allowed, 2 moved to the quarantine, 1 had a tag, 0 could not be decided\n"), log
    assert s3.keys(bucket) == ["a/other.jpg", "a/reviewed.jpg", "b/missed.jpg"]
    assert s3.tags(bucket, "a/other.jpg") == {"takeback": "allow"}
    assert "missed.jpg" not in log
    # With --all tags count for nothing: whoever may set them could hide a picture.
    s3.put(bucket, "a/hidden.jpg", COPY, Tagging="takeback=allow")
    assert swept(s3, *options)[1].startswith("1 moved to the quarantine, 3 had a tag")
    assert swept(s3, *options, "--all")[1].startswith("1 allowed, 1 moved to the quarantine, 1 tagged before")
    assert len(s3.keys(held)) == 4


def test_a_bucket_with_many_objects(s3: S3, sidecar: str) -> None:
    """A sweep checks all of a bucket, although it begins only a few objects ahead."""
    bucket = s3.bucket()
    for number in range(60):
        s3.put(bucket, f"{number:03}", b"")
    s3.put(bucket, "z.jpg", COPY)
    code, said, _ = swept(s3, "--bucket", bucket, "--block", "tag", "--sidecar", sidecar)
    assert (code, said) == (0, "60 allowed, 1 tagged, 0 had a tag, 0 could not be decided\n")


def test_nobody_can_decide(s3: S3) -> None:
    """If nobody can decide, a sweep stops before the rest of the bucket, and exits with 1."""
    bucket = s3.bucket()
    for number in range(20):
        s3.put(bucket, f"{number}.jpg", COPY)
    options = ("--block", "tag", "--workers", "1", "--sidecar", AWAY)
    code, said, log = swept(s3, "--bucket", bucket, *options)
    assert code == 1
    assert 1 <= int(said.split(", ")[1].split()[0]) < 20
    assert "the sweep stopped" in log
    assert swept(s3, "--bucket", "no-such-bucket", *options)[0] == 2
