"""Get the bytes of a delivery out of its transport: media type, size and compression, in that order of cost.

The limits hold while the bytes are inflated and not after, so a few kilobytes cannot become gigabytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.delivery import JSON_TYPES, Request, SourceSettings

GZIP_WINDOW = 31  # zlib's spelling of "gzip with the largest window"
CHUNK = 64 * 1024


def read_body(request: Request, settings: SourceSettings, content_types: tuple[str, ...] = JSON_TYPES) -> bytes:
    """Return the plain bytes that the sender meant, or raise InvalidAlert."""
    _check_media_type(request.headers, content_types)
    if len(request.body) > settings.max_body_bytes:
        raise InvalidAlert("too_large", f"the body is larger than {settings.max_body_bytes} bytes")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return request.body
    if encoding != "gzip":
        raise InvalidAlert("unsupported_media_type", "only gzip and identity are accepted as Content-Encoding")
    return inflate(request.body, settings.max_decoded_bytes)


def _check_media_type(headers: Mapping[str, str], content_types: tuple[str, ...]) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in content_types:
        return
    if "application/*+json" in content_types and media_type.startswith("application/") and media_type.endswith("+json"):
        return
    accepted = ", ".join(name for name in content_types if name)
    raise InvalidAlert("unsupported_media_type", f"the Content-Type is not one of: {accepted}")


def inflate(body: bytes, limit: int) -> bytes:
    """Return what a gzip body holds, or raise InvalidAlert: one layer, whole, and never more than the limit."""
    stream = zlib.decompressobj(wbits=GZIP_WINDOW)
    parts: list[bytes] = []
    size = 0
    rest = body
    try:
        while not stream.eof:
            part = stream.decompress(rest, CHUNK)
            rest = stream.unconsumed_tail
            size += len(part)
            if size > limit:
                raise InvalidAlert("too_large", f"the inflated body is larger than {limit} bytes")
            parts.append(part)
            if not part and not rest:
                break
    except zlib.error as error:
        raise InvalidAlert("bad_gzip", "the body says gzip and is not") from error
    if not stream.eof or stream.unused_data:
        raise InvalidAlert("bad_gzip", "the gzip body is cut short or has bytes after its end")
    return b"".join(parts)
