"""Hash several texts into one name, without two lists of texts ever meeting."""

from __future__ import annotations

import hashlib


def hash_parts(*parts: str | bytes) -> str:
    """Return the SHA-256 of the parts, each behind its length, as 64 hexadecimal digits."""
    encoded = [part.encode() if isinstance(part, str) else part for part in parts]
    return hashlib.sha256(b"".join([b"%d:%b" % (len(part), part) for part in encoded])).hexdigest()
