"""botocore's descriptions of services, read once in a process: reading them is most of what a new client costs."""

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader

from tests.emulators.aws.patches import Patches

READ = JSONFileLoader.load_file


def install(patches: Patches) -> None:
    """Let every session share what was read; sessions share it among their own clients anyway."""
    patches.replace(JSONFileLoader, "load_file", lambda loader, path: description(path))


@cache
def description(path: str) -> Any:
    """Return what stands in a file; None where there is none."""
    return READ(JSONFileLoader(), path)
