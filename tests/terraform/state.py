"""What the pipeline would be: its stack with the complete example, applied by a provider that only pretends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.terraform.workspace import pretending

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = ROOT / "terraform"
EMPTY_ZIP = b"PK\5\6" + bytes(18)
EXAMPLE = CONFIGURATIONS / "examples/complete.tfvars"
ACTIONS = CONFIGURATIONS / "testing/actions.json"

Values = Mapping[str, Any]


class Applied:
    """The resources of an applied stack, by type."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._resources = [each for each in _walk(state["values"]["root_module"]) if each["mode"] == "managed"]

    def of(self, kind: str) -> dict[str, Values]:
        """Return the values of every resource of a type, by address."""
        found = {each["address"]: each["values"] for each in self._resources if each["type"] == kind}
        assert found, f"the stack has no {kind}"
        return found

    def one(self, kind: str) -> Values:
        """Return the values of the only resource of a type."""
        (values,) = self.of(kind).values()
        return values

    def statements(self, kind: str, attribute: str = "policy") -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield address and statement of every policy in an attribute of a type."""
        for address, values in self.of(kind).items():
            for statement in json.loads(values[attribute])["Statement"]:
                yield address, statement


def apply_pipeline(terraform: Path, scratch: Path) -> dict[str, Any]:
    """Return the state of the pipeline as JSON tells it."""
    package = scratch / "runbook-engine-arm64.zip"
    package.write_bytes(EMPTY_ZIP)
    here = {"package": str(package), "action_policy_file": str(ACTIONS)}
    with pretending(terraform) as pretended:
        return pretended.apply(CONFIGURATIONS, CONFIGURATIONS / "stacks/pipeline", here, example=EXAMPLE)


def _walk(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _walk(child)
