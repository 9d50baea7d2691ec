"""Hash several texts into one name, without two lists of texts ever meeting."""

from __future__ import annotations

import hashlib


def hash_parts(*parts: str) -> str:
    """Return the SHA-256 of the parts, each behind its length, as 64 hexadecimal digits."""
    return hashlib.sha256("".join([f"{len(part)}:{part}" for part in parts]).encode()).hexdigest()
