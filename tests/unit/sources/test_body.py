"""A delivery's bytes are taken out of their transport within limits."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.delivery import Request, SourceSettings
from runbook_engine.sources.body import read_body

SETTINGS = SourceSettings(max_body_bytes=100_000, max_decoded_bytes=1_000_000)
NOW = datetime(2026, 5, 11, tzinfo=UTC)


def request(body: bytes, **headers: str) -> Request:
    """Return a request with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(scope="prod", source="alertmanager", headers=named, body=body, received_at=NOW)


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/vnd.alerts+json", ""],
)
def test_the_body_is_read_when_the_media_type_is_json(media_type: str) -> None:
    """JSON by any of its names, or none given."""
    assert read_body(request(b"{}", content_type=media_type), SETTINGS) == b"{}"


def test_the_body_is_read_when_no_media_type_is_given() -> None:
    """Some senders name none."""
    assert read_body(request(b"{}"), SETTINGS) == b"{}"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1_000_000])
def test_a_gzip_body_is_inflated_when_it_is_within_the_limit(size: int) -> None:
    """Whatever its size in chunks."""
    plain = b"a" * size

    assert read_body(request(gzip.compress(plain), content_encoding="gzip"), SETTINGS) == plain


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        pytest.param(
            request(b"a=b", content_type="application/x-www-form-urlencoded"),
            "unsupported_media_type",
            "the Content-Type is not one of: application/json, application/*+json",
            id="a form",
        ),
        pytest.param(request(b"{}", content_type="text/plain"), "unsupported_media_type", None, id="plain text"),
        pytest.param(
            request(b"{}", content_encoding="br"),
            "unsupported_media_type",
            "only gzip and identity are accepted as Content-Encoding",
            id="another compression",
        ),
        pytest.param(request(b"{}", content_encoding="gzip, gzip"), "unsupported_media_type", None, id="gzip twice"),
        pytest.param(request(b"x" * 100_001), "too_large", "the body is larger than 100000 bytes", id="too many bytes"),
        pytest.param(
            request(gzip.compress(b"a" * 5_000_000), content_encoding="gzip"),
            "too_large",
            "the inflated body is larger than 1000000 bytes",
            id="a gzip bomb",
        ),
        pytest.param(
            request(b"{}", content_encoding="gzip"), "bad_gzip", "the body says gzip and is not", id="gzip in name only"
        ),
        pytest.param(
            request(gzip.compress(b"{}")[:-1], content_encoding="gzip"),
            "bad_gzip",
            "the gzip body is cut short or has bytes after its end",
            id="gzip cut short",
        ),
        pytest.param(request(gzip.compress(b"{}") + b"x", content_encoding="gzip"), "bad_gzip", None, id="bytes after"),
        pytest.param(request(b"", content_encoding="gzip"), "bad_gzip", None, id="no gzip at all"),
    ],
)
def test_a_delivery_is_refused_with_its_code_when_its_transport_breaks_a_rule(
    asked: Request, code: str, message: str | None
) -> None:
    """The sentence names the limit or the accepted forms, and echoes nothing that was sent."""
    with pytest.raises(InvalidAlert) as caught:
        read_body(asked, SETTINGS)

    assert caught.value.code == code
    assert message is None or caught.value.message == message
