"""Hash several texts into one name, without two lists of texts ever meeting."""

from __future__ import annotations

import hashlib


def hash_parts(*parts: str | bytes) -> str:
    """Return the SHA-256 of the parts, each behind its length, as 64 hexadecimal digits."""
    prefixed = bytearray()
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        prefixed += b"%d:" % len(encoded)
        prefixed += encoded
    return hashlib.sha256(prefixed).hexdigest()
