"""Bundles out of a bucket: the very bytes, or none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from runbook_adapters.s3 import ADAPTER
from runbook_adapters.s3 import bundle as bundle_module
from runbook_engine.errors import NoAdapter, Unreadable
from tests.contract.aws.account import ACCOUNT, REGION, account, client, serve

CONTENT = b"compiled runbooks\x00\xff"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
WHERE = "s3://runbooks/prod/bundle.msgpack"


def reader(**settings: Any) -> Any:
    """Return what reads the bundle."""
    return serve(
        ADAPTER, "bundles", **{"bucket": "runbooks", "key": "prod/bundle.msgpack", "digest": DIGEST, **settings}
    )


@pytest.fixture(autouse=True)
def bucket() -> Iterator[Any]:
    """A bucket with one bundle."""
    with account():
        s3 = client("s3")
        s3.create_bucket(Bucket="runbooks", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="runbooks", Key="prod/bundle.msgpack", Body=CONTENT)
        yield s3


def test_bundle_is_read_when_it_is_the_one() -> None:
    """Byte for byte."""
    assert CONTENT == reader().reader.bundle()


def test_bundle_is_unreadable_when_it_is_another_one(bucket: Any) -> None:
    """Whoever may write to the bucket does not decide what runs."""
    bucket.put_object(Bucket="runbooks", Key="prod/bundle.msgpack", Body=b"evil")

    with pytest.raises(Unreadable) as caught:
        reader().reader.bundle()

    found = hashlib.sha256(b"evil").hexdigest()
    assert (
        f"the bundle {WHERE} is not the one that was asked for: its SHA-256 is {found}, "
        f"and {DIGEST} is wanted (set the digest when a bundle is uploaded, in the same deployment)"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param(
            {"key": "gone"},
            "the bundle s3://runbooks/gone cannot be read: NoSuchKey: The specified key does not exist.",
            id="no such object",
        ),
        pytest.param(
            {"bucket": "nowhere"},
            "the bundle s3://nowhere/prod/bundle.msgpack cannot be read: "
            "NoSuchBucket: The specified bucket does not exist",
            id="no such bucket",
        ),
    ],
)
def test_bundle_is_unreadable_when_it_is_not_there(settings: dict[str, str], says: str) -> None:
    """Where it was looked for."""
    with pytest.raises(Unreadable) as caught:
        reader(**settings).reader.bundle()

    assert says == str(caught.value)


def test_bundle_is_unreadable_when_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket cannot fill the memory of whoever reads from it."""
    monkeypatch.setattr(bundle_module, "LARGEST", len(CONTENT) - 1)

    with pytest.raises(Unreadable) as caught:
        reader().reader.bundle()

    assert f"the bundle {WHERE} has more than {len(CONTENT) - 1} bytes (is it a bundle at all?)" == str(caught.value)


@pytest.mark.parametrize("digest", ["", "abc", DIGEST.upper(), f"{DIGEST}\n"], ids=["none", "short", "upper", "line"])
def test_reader_is_not_built_when_nothing_says_which_bundle(digest: str) -> None:
    """What is not pinned is not run."""
    with pytest.raises(NoAdapter) as caught:
        reader(digest=digest)

    assert (
        f"s3 cannot tell whether a bundle is the right one: {digest!r} is no SHA-256 "
        "(set digest to the 64 hexadecimal digits that sha256sum prints of the bundle)"
    ) == str(caught.value)


def test_other_ports_are_refused_when_asked() -> None:
    """It keeps bundles, and nothing else."""
    with pytest.raises(NoAdapter) as caught:
        serve(ADAPTER, "flags", bucket="b", key="k", digest=DIGEST)

    assert "s3 does not serve flags (it serves bundles)" == str(caught.value)


def test_doctor_reads_the_bundle() -> None:
    """Its size is said, once its bytes are known to be right."""
    who = f"answers for account {ACCOUNT}, region {REGION}, as user/moto"

    assert f"{who}; {WHERE} has {len(CONTENT)} bytes, as asked for" == reader().probe()
