"""botocore's descriptions of services, read once in a process: reading them is most of what a new client costs."""

from functools import cache
from typing import Any

from botocore import session

from tests.emulators.aws.patches import Patches

MAKE = session.create_loader


def install(patches: Patches) -> None:
    """Let every session share what was read and found; sessions share it among their own clients anyway."""
    patches.replace(session, "create_loader", shared)


@cache
def shared(search_path_string: str | None = None) -> Any:
    """Return what reads the descriptions in a path; it remembers them."""
    return MAKE(search_path_string)
