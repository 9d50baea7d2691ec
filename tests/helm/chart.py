"""The chart as helm renders it: manifests to look into, and the sentences with which it refuses."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.tools import find_tool

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/runbook-engine"
VALUES = {path.stem: path for path in sorted((ROOT / "tests/helm/values").glob("*.yaml"))}
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


def render(values: str | Mapping[str, Any] = "default", *, kubernetes: str = NEWEST) -> Rendered:
    """Return the manifests of a set of values: the name of a file, or the values themselves."""
    if isinstance(values, str):
        return _render(VALUES[values], kubernetes)
    with _values_file(values) as file:
        return _render.__wrapped__(file, kubernetes)


def refusal(values: Mapping[str, Any], *, kubernetes: str = NEWEST) -> str:
    """Return with what words helm refuses values."""
    with _values_file(values) as file:
        done = _helm("template", "runner", *_release(file), "--kube-version", kubernetes)
    assert done.returncode != 0, "helm took the values"
    return done.stderr


def notes(values: str | Mapping[str, Any] = "default") -> str:
    """Return what helm says after an installation."""
    with _values_file(values) as file:
        done = _helm("install", "runner", *_release(file), "--dry-run=client")
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def lint(values: str) -> subprocess.CompletedProcess[str]:
    """Run helm's own linter."""
    return _helm("lint", "--strict", str(CHART), "--values", str(VALUES[values]))


@cache
def _render(file: Path, kubernetes: str) -> Rendered:
    done = _helm("template", "runner", *_release(file), "--kube-version", kubernetes)
    assert done.returncode == 0, done.stderr
    return Rendered(document for document in yaml.safe_load_all(done.stdout) if document)


def _release(file: Path) -> Sequence[str]:
    return str(CHART), "--namespace", NAMESPACE, "--values", str(file)


def _helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as home:
        folders = {f"HELM_{name}_HOME": home for name in ("CACHE", "CONFIG", "DATA")}
        command = [str(find_tool("helm")), *arguments]
        environment = {**os.environ, **folders, "KUBECONFIG": f"{home}/none"}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


@contextmanager
def _values_file(values: str | Mapping[str, Any]) -> Iterator[Path]:
    if isinstance(values, str):
        yield VALUES[values]
        return
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(dict(values), file, allow_unicode=True)
        file.flush()
        yield Path(file.name)
