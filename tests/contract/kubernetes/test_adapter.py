"""The adapter as engine.yaml chooses it: one transport for every port of a choice, and nothing heavy until then."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from runbook_adapters.kubernetes import ADAPTER, KubernetesSettings
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.ports import AdapterContext
from tests.contract.kubernetes.bed import PLACE, Bed
from tests.contract.kubernetes.rig import two_releases


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def context(tmp_path: Path, secret: Callable[[SecretReference], str] = lambda reference: "token") -> AdapterContext:
    """Return what a host builds adapters with."""
    return AdapterContext(
        clock=SystemClock(), configuration=Configuration(), base=tmp_path, state=tmp_path, secret=secret, place=PLACE
    )


def settings(server: str) -> KubernetesSettings:
    """Return the settings of a cluster that is reached with a token."""
    return KubernetesSettings(auth="token", server=server, token=SecretReference(env="TOKEN"))


def test_every_port_is_served_when_it_is_provided(tmp_path: Path) -> None:
    """What the adapter promises, it builds, and all of it shares one transport."""
    given = context(tmp_path)

    served = {port: ADAPTER.build(port, settings("http://127.0.0.1:1"), given) for port in ADAPTER.provides}

    assert all(each.reader is not None for each in served.values())
    assert {"cluster", "settings", "nodes", "jobs"} == {
        port for port, each in served.items() if each.writer is not None
    }
    assert ["changes"] == [port for port, each in served.items() if each.watcher is not None]
    assert 1 == len(given.shared)


def test_port_is_refused_when_a_cluster_has_none(tmp_path: Path) -> None:
    """A cluster keeps no journal."""
    with pytest.raises(NoAdapter) as refused:
        ADAPTER.build("journal", settings("http://127.0.0.1:1"), context(tmp_path))

    assert str(refused.value) == (
        "kubernetes does not serve journal (it serves cluster, settings, nodes, jobs, events, changes and logs)"
    )


@pytest.mark.parametrize("namespace", ["", "*", "Shop", "a/b"])
def test_watching_is_refused_when_a_namespace_has_no_such_name(tmp_path: Path, namespace: str) -> None:
    """The sentence names the setting."""
    chosen = msgspec.structs.replace(settings("http://localhost:1"), namespaces=("shop", namespace))

    with pytest.raises(NoAdapter) as refused:
        ADAPTER.build("changes", chosen, context(tmp_path, lambda reference: "x"))

    assert f"namespaces names {namespace!r}, which no namespace can be called" in str(refused.value)


def test_workload_is_read_when_the_adapter_was_chosen(cluster: Bed, fake, tmp_path: Path) -> None:
    """From the settings to the cluster, with the token as the cluster knows it."""
    rig = two_releases(cluster, "deployment")
    token = fake.token("runner", groups=["system:masters"])

    served = ADAPTER.build("cluster", settings(fake.url), context(tmp_path, lambda reference: token))

    assert rig.look().target == served.reader.workload(rig.target).target
    assert "runner" == fake.log.entries("GET", "/deployments/web")[-1].user


def test_nothing_heavy_is_loaded_when_no_cluster_is_built() -> None:
    """An installation without a cluster pays nothing for the adapter."""
    heavy = "urllib3", "kubernetes", "yaml", "tenacity", "boto3", "ssl"
    code = f"import sys, runbook_adapters.kubernetes; print([name for name in {heavy!r} if name in sys.modules])"
    folders = [str(Path(__file__).parents[3]), str(Path(__file__).parents[3] / "adapters")]

    said = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {folders!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "[]" == said.stdout.strip()
