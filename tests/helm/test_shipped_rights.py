"""The shipped manifests are what `make rbac` writes today, and what they call themselves."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runbook_engine.entrypoints.cli import main
from runbook_engine.entrypoints.cli.desk import Desk
from tests.helm.chart import CHART, ROOT, render

READS = {"get", "list", "watch"}
INSTALLATION = ("--runbooks", str(ROOT / "runbooks/kubernetes"), "--config", str(CHART / "example/engine.yaml"))
SUBJECT = ("--subject", "serviceaccount:runbooks/runbook-engine")
MODES = {"observe": ("--mode", "observe"), "act": ()}


def permissions(*argv: str) -> tuple[int, str]:
    """Return the exit code and the answer of `runbook permissions` for the example installation."""
    out, err = io.StringIO(), io.StringIO()
    desk = Desk(stdin=io.StringIO(), stdout=out, stderr=err, environment={"NO_COLOR": "1"})
    code = main(("permissions", *INSTALLATION, *SUBJECT, *argv), desk)
    assert "" == err.getvalue()
    return code, out.getvalue()


def verbs(text: str) -> Iterator[str]:
    """Yield the verb of every rule of a file, wherever the rules stand."""
    todo = list(yaml.safe_load_all(text))
    while todo:
        found = todo.pop()
        if isinstance(found, dict):
            yield from found.get("verbs", ())
            todo += found.values()
        elif isinstance(found, list):
            todo += found


@pytest.mark.parametrize(("suffix", "form"), [("yaml", "rbac"), ("values.yaml", "helm")], ids=["manifests", "values"])
@pytest.mark.parametrize("mode", MODES)
def test_shipped_rights_are_the_ones_that_the_command_writes(mode: str, suffix: str, form: str) -> None:
    """A runbook that changes what it needs changes them too: run `make rbac`."""
    shipped = CHART / f"rbac/{mode}.{suffix}"

    code, written = permissions(*MODES[mode], "--format", form)

    assert (0, shipped.read_text(encoding="utf-8")) == (code, written)
    assert (0, "exactly what is needed\n") == permissions(*MODES[mode], "--check", str(shipped))


@pytest.mark.parametrize("suffix", ["yaml", "values.yaml"])
def test_rights_to_observe_hold_no_write(suffix: str) -> None:
    """Who begins by observing applies a file that a reviewer understands at a glance."""
    observing = set(verbs((CHART / f"rbac/observe.{suffix}").read_text(encoding="utf-8")))
    acting = set(verbs((CHART / f"rbac/act.{suffix}").read_text(encoding="utf-8")))

    assert observing <= READS
    assert {"patch", "create"} == acting - READS


@pytest.mark.parametrize("mode", MODES)
def test_chart_takes_the_values_as_they_are(mode: str) -> None:
    """Rule for rule, the chart makes the roles of the manifests beside them."""
    values = yaml.safe_load((CHART / f"rbac/{mode}.values.yaml").read_text(encoding="utf-8"))
    manifests = list(yaml.safe_load_all((CHART / f"rbac/{mode}.yaml").read_text(encoding="utf-8")))

    rendered = render(values)

    made = {role["metadata"].get("namespace"): role["rules"] for role in rendered if "rules" in role}
    assert {role["metadata"].get("namespace"): role["rules"] for role in manifests if "rules" in role} == made


def test_example_raises_no_ceiling_and_names_its_targets() -> None:
    """A first installation proposes, and touches nothing that nobody named."""
    example = yaml.safe_load(Path(CHART / "example/engine.yaml").read_text(encoding="utf-8"))

    assert "modeCeiling" not in example
    assert all("*" not in target.partition("=")[2] for target in example["targets"] if not target.startswith("node="))
