"""The session key: what the web processes of one start of the runner sign with. Made anew each time, never logged.

It is no setting: nobody has to make, keep or rotate it, and a restart ends every session.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

LENGTH = 32  # bytes
NAME = "session.key"


def write_session_key(folder: Path) -> None:
    """Write a new key where only this user reads it, in place of the last one. Raises OSError."""
    file = folder / NAME
    file.unlink(missing_ok=True)  # so that the new file has our rights, whatever the old one had
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(secrets.token_bytes(LENGTH))


def read_session_key(folder: Path) -> bytes:
    """Return the key of this start. Raises OSError."""
    return (folder / NAME).read_bytes()
