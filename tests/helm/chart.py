"""Charts as helm renders them: manifests to look into, and the sentences with which it refuses."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.tools import find_tool

ROOT = Path(__file__).parents[2]
NAMESPACE = "runbooks"
NEWEST = "1.33.0"

Manifest = Mapping[str, Any]


class Rendered(tuple[Manifest, ...]):
    """What one release would be."""

    __slots__ = ()

    def of(self, kind: str) -> list[Manifest]:
        """Return every manifest of a kind."""
        return [manifest for manifest in self if manifest["kind"] == kind]

    def one(self, kind: str) -> Manifest:
        """Return the only manifest of a kind."""
        (found,) = self.of(kind)
        return found

    @property
    def pod(self) -> Manifest:
        """The pod that the Deployment would make."""
        pod: Manifest = self.one("Deployment")["spec"]["template"]
        return pod

    @property
    def container(self) -> Manifest:
        """Its only container."""
        (container,) = self.pod["spec"]["containers"]
        found: Manifest = container
        return found

    def container_named(self, name: str) -> Manifest:
        """Return one container of several, one that only runs before the others included."""
        spec = self.pod["spec"]
        (found,) = [one for one in [*spec["containers"], *spec.get("initContainers", ())] if one["name"] == name]
        wanted: Manifest = found
        return wanted


@dataclass(frozen=True)
class Chart:
    """A chart of this repository, released as it is meant to be."""

    name: str
    release: str
    namespace: str
    sets: Path

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return ROOT / "helm" / self.name

    @property
    def values(self) -> Mapping[str, Path]:
        """Its sets of values, by their names."""
        return {path.stem: path for path in sorted(self.sets.glob("*.yaml"))}

    def render(self, values: str | Mapping[str, Any] = "default", *, kubernetes: str = NEWEST) -> Rendered:
        """Return the manifests of a set of values: the name of a file, or the values themselves."""
        if isinstance(values, str):
            return _render(self, self.values[values], kubernetes)
        with _values_file(self, values) as file:
            return _render.__wrapped__(self, file, kubernetes)

    def refusal(self, values: Mapping[str, Any], *, kubernetes: str = NEWEST) -> str:
        """Return with what words helm refuses values."""
        with _values_file(self, values) as file:
            done = _helm("template", *self.released(file), "--kube-version", kubernetes)
        assert done.returncode != 0, "helm took the values"
        return done.stderr

    def notes(self, values: str | Mapping[str, Any] = "default", *, namespace: str = "") -> str:
        """Return what helm says after an installation."""
        with _values_file(self, values) as file:
            done = _helm("install", *self.released(file, namespace), "--dry-run=client")
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("\nNOTES:\n")[2]

    def lint(self, values: str) -> subprocess.CompletedProcess[str]:
        """Run helm's own linter."""
        return _helm("lint", "--strict", str(self.folder), "--values", str(self.values[values]))

    def released(self, file: Path, namespace: str = "") -> Sequence[str]:
        """Return the arguments by which helm knows release, chart and values."""
        return self.release, str(self.folder), "--namespace", namespace or self.namespace, "--values", str(file)


RUNNER = Chart("runbook-engine", "runner", NAMESPACE, ROOT / "tests/helm/values")
CHECKOUT = Chart("checkout", "checkout", "apps", ROOT / "tests/helm/values/checkout")
OBSERVABILITY = Chart("observability", "observability", "monitoring", ROOT / "tests/helm/values/observability")
render, refusal, notes, lint = RUNNER.render, RUNNER.refusal, RUNNER.notes, RUNNER.lint
CHART, VALUES = RUNNER.folder, RUNNER.values


@cache
def _render(chart: Chart, file: Path, kubernetes: str) -> Rendered:
    done = _helm("template", *chart.released(file), "--kube-version", kubernetes)
    assert done.returncode == 0, done.stderr
    return Rendered(document for document in yaml.safe_load_all(done.stdout) if document)


def _helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as home:
        folders = {f"HELM_{name}_HOME": home for name in ("CACHE", "CONFIG", "DATA")}
        command = [str(find_tool("helm")), *arguments]
        environment = {**os.environ, **folders, "KUBECONFIG": f"{home}/none"}
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, env=environment)


@contextmanager
def _values_file(chart: Chart, values: str | Mapping[str, Any]) -> Iterator[Path]:
    if isinstance(values, str):
        yield chart.values[values]
        return
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(dict(values), file, allow_unicode=True)
        file.flush()
        yield Path(file.name)
