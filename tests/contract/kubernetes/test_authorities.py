"""A CA that cannot be used is named by where it is written, before anything is asked: in a file, a setting, a pod."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from runbook_adapters.kubernetes import in_cluster
from runbook_adapters.kubernetes.settings import KubernetesSettings, connect
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.ports import AdapterContext

BROKEN = "-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQ==\n-----END PRIVATE KEY-----\n"
REMEDY = "(it is the PEM of the cluster's CA; in caData also in base64, as kubeconfig and EKS write it)"
UNREADABLE = "holds no certificate that can be read"
Place = Callable[[str, Path], tuple[KubernetesSettings, str]]  # puts a CA there; returns what it is called, too


def _settings(**named: str) -> KubernetesSettings:
    token = SecretReference(env="TOKEN")
    return KubernetesSettings(auth="token", server="https://c.example", token=token, **named)


def _in_file(ca: str, folder: Path) -> tuple[KubernetesSettings, str]:
    (folder / "ca.pem").write_text(ca)
    return _settings(ca_file="ca.pem"), f"the CA file {folder / 'ca.pem'}"


def _in_data(ca: str, folder: Path) -> tuple[KubernetesSettings, str]:
    return _settings(ca_data=base64.b64encode(ca.encode()).decode()), "caData"


def _in_pod(ca: str, folder: Path) -> tuple[KubernetesSettings, str]:
    (folder / "ca.crt").write_text(ca)
    return KubernetesSettings(auth="inCluster", server="https://c.example"), f"the CA file {folder / 'ca.crt'}"


def _by_kubeconfig(folder: Path, **cluster: str) -> KubernetesSettings:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://c.example", **cluster}}],
        "users": [{"name": "me", "user": {"token": "x"}}],
        "contexts": [{"name": "shop", "context": {"cluster": "c", "user": "me"}}],
    }
    (folder / "config").write_text(yaml.safe_dump(document))
    return KubernetesSettings(auth="kubeconfig", kubeconfig="config", context="shop")


def _in_file_of_kubeconfig(ca: str, folder: Path) -> tuple[KubernetesSettings, str]:
    (folder / "ca.pem").write_text(ca)
    settings = _by_kubeconfig(folder, **{"certificate-authority": "ca.pem"})
    return settings, f"the CA file {folder / 'ca.pem'}"


def _in_data_of_kubeconfig(ca: str, folder: Path) -> tuple[KubernetesSettings, str]:
    settings = _by_kubeconfig(folder, **{"certificate-authority-data": base64.b64encode(ca.encode()).decode()})
    return settings, f"certificate-authority-data of context shop of {folder / 'config'}"


def _refusal(settings: KubernetesSettings, folder: Path) -> str:
    context = AdapterContext(
        clock=SystemClock(), configuration=Configuration(), base=folder, state=folder, secret=lambda _: "x"
    )
    with pytest.raises(NoAdapter) as caught:
        connect(settings, context)
    return str(caught.value)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(_in_file, id="a file"),
        pytest.param(_in_data, id="a setting"),
        pytest.param(_in_pod, id="a pod"),
        pytest.param(_in_file_of_kubeconfig, id="a file that a kubeconfig names"),
        pytest.param(_in_data_of_kubeconfig, id="a kubeconfig"),
    ],
)
@pytest.mark.parametrize(
    ("ca", "said"),
    [
        pytest.param("hello", "holds no certificate", id="no PEM"),
        pytest.param(BROKEN, UNREADABLE, id="PEM around nonsense"),
        pytest.param(KEY, UNREADABLE, id="a key"),
    ],
)
def test_authority_is_named_when_it_is_none(
    place: Place, ca: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote it looks for it there."""
    pytest.importorskip("kubernetes", reason="the official client is an extra")
    monkeypatch.setattr(in_cluster, "ACCOUNT", tmp_path)
    settings, named = place(ca, tmp_path)

    assert f"adapter kubernetes: {named} {said} {REMEDY}" == _refusal(settings, tmp_path)


def test_authority_is_named_when_a_kubeconfig_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Rather than that it is no kubeconfig."""
    pytest.importorskip("kubernetes", reason="the official client is an extra")
    settings = _by_kubeconfig(tmp_path, **{"certificate-authority": "gone.pem"})

    says = f"{tmp_path / 'config'} cannot be used: it names {tmp_path / 'gone.pem'}, and there is no such file"
    assert f"adapter kubernetes: {says} (kubectl config view shows it)" == _refusal(settings, tmp_path)
