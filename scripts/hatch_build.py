"""The wheel's build hook: it puts the shipped runbooks and the checkout service beside the code.

A checkout already has both at its root, so an editable install gets no copy that could go stale.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = {
    "runbooks": ("*.yaml",),
    "apps/checkout": ("*.py", "requirements.txt"),
}


class ShippedFiles(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own config type is not public
    """Adds `runbook_engine/shipped/{runbooks,checkout}` to a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name every shipped file, so that caches and test folders stay out."""
        if version == "editable":
            return
        for folder, patterns in SHIPPED.items():
            source = Path(self.root, folder)
            target = Path("runbook_engine/shipped", source.name)
            for path in sorted(found for pattern in patterns for found in source.rglob(pattern)):
                inside = path.relative_to(source)
                if "tests" not in inside.parts:
                    build_data["force_include"][str(path)] = str(target / inside)
