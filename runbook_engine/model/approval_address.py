"""An address of approval pages: over TLS, or of this machine itself. A link is a credential while it may be used."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def is_approval_address(url: str, *, local: bool = True) -> bool:
    """Whether links may begin with it; `local`: plain http will do where nobody else can listen."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (local and parts.scheme == "http" and _is_this_machine(parts))


def _is_this_machine(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
