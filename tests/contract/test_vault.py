"""Secrets that a service keeps: in every host through the one method of its settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.settings import InvalidSettings, Settings, read_settings
from runbook_engine.entrypoints.vault import Vault
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import AdapterChoice, Configuration, SecretReference, Token
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served
from runbook_engine.registry import Registry

TOKEN = SecretReference(ssm="/runbook/token")


class SafeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which room."""

    room: str = "a"


class Safe:
    """A store of secrets that says who was asked."""

    def __init__(self, room: str) -> None:
        self.room = room

    def secret(self, path: str) -> str:
        return f"{self.room}:{path}:0123456789abcdef".translate({ord(":"): "-", ord("/"): "-"})


class Safes(Registry):
    """A registry whose adapter `ssm` is a safe, and whose `blind` keeps none."""

    def __init__(self) -> None:
        self.built: list[AdapterContext] = []

    def adapter(self, name: str) -> AdapterSpec:
        """Return one of the two."""
        port: Port = "secrets" if name in ("ssm", "other") else "flags"
        return AdapterSpec(name=name, provides=(port,), settings=SafeSettings, build=self._build)

    def _build(self, port: Port, settings: SafeSettings, context: AdapterContext) -> Served:
        self.built.append(context)
        return Served(reader=Safe(settings.room))


def keeping(*choices: AdapterChoice) -> Configuration:
    """Return a configuration whose secrets are kept there."""
    return Configuration(adapters={"secrets": choices} if choices else {})


def test_secret_is_fetched_through_the_adapter_when_it_is_kept_by_a_service() -> None:
    """The adapter is built once, and asked each time: what it remembers, and how long, is its own affair."""
    safes = Safes()
    settings = Settings(vault=Vault(safes))

    found = [settings.secret(TOKEN), settings.secret(SecretReference(ssm="/b"))]

    assert ["a--runbook-token-0123456789abcdef", "a--b-0123456789abcdef"] == found
    assert 1 == len(safes.built)


def test_secret_is_fetched_where_engine_yaml_says() -> None:
    """Another region, another role, or another store; who holds the settings needs not know."""
    settings = Settings(vault=Vault(Safes()))
    choice = AdapterChoice(adapter="other", settings={"room": "b"})

    assert settings.keeping(keeping(choice)).secret(TOKEN).startswith("b-")
    assert settings.keeping(keeping()).secret(TOKEN).startswith("a-")


def test_secret_reaches_adapters_and_tokens_alike() -> None:
    """A receiver's address and a sender's token are found in the same place."""
    safes = Safes()
    choice = AdapterChoice(adapter="ssm", settings={"room": "b"})
    configuration = msgspec.structs.replace(
        keeping(choice), tokens=(Token(name="alertmanager", roles=("ingest",), secrets=(TOKEN,)),)
    )
    settings = Settings(vault=Vault(safes))

    adapters = Adapters(configuration=configuration, settings=settings, registry=safes, clock=SystemClock())
    adapters.serving("secrets")
    load_keyring(configuration, settings.keeping(configuration).secret)

    given = safes.built[0]
    assert given.secret(TOKEN) == settings.keeping(configuration).secret(TOKEN)
    assert given.secret(TOKEN).startswith("b-")
    assert all(context.common is settings.vault.common for context in safes.built)


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        pytest.param(
            AdapterChoice(adapter="blind"),
            "adapters.secrets (blind) serves flags, and no secrets (name ssm)",
            id="an adapter that keeps none",
        ),
        pytest.param(
            AdapterChoice(adapter="ssm", settings={"rom": "b"}),
            "adapters.secrets (ssm): Object contains unknown field `rom` (correct it in engine.yaml)",
            id="a setting that it does not know",
        ),
    ],
)
def test_remedy_is_said_when_nobody_can_fetch_a_secret(choice: AdapterChoice, says: str) -> None:
    """What to change, and where."""
    settings = Settings(vault=Vault(Safes())).keeping(keeping(choice))

    with pytest.raises(NoAdapter) as caught:
        settings.secret(TOKEN)

    assert says == str(caught.value)


def test_two_stores_are_refused_when_engine_yaml_names_them() -> None:
    """A path would mean two secrets."""
    choice = AdapterChoice(adapter="ssm")

    with pytest.raises(InvalidSettings) as caught:
        Settings().keeping(keeping(choice, choice))

    assert "adapters.secrets: an installation has one secret store (keep one)" == str(caught.value)


@pytest.mark.slow
def test_region_is_asked_for_when_nothing_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped adapter, on a machine that knows nothing of AWS."""
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(NoAdapter) as caught:
        read_settings(environment={}).secret(TOKEN)

    assert (
        "AWS ssm cannot be asked: no region is known "
        "(set region: beside the adapter in engine.yaml, or AWS_DEFAULT_REGION for the process)"
    ) == str(caught.value)


@pytest.mark.slow
def test_no_sdk_is_loaded_when_no_such_secret_is_asked_for(tmp_path: Path) -> None:
    """Settings are read by every command, and boto3 costs a second."""
    code = (
        "import sys\n"
        "from runbook_engine.entrypoints.settings import read_settings\n"
        "from runbook_engine.model.configuration import SecretReference\n"
        "read_settings(environment={'T': 'x'}).secret(SecretReference(env='T'))\n"
        "print([name for name in ('boto3', 'botocore', 'pydantic', 'yaml') if name in sys.modules])\n"
    )

    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)

    assert (0, "[]\n") == (done.returncode, done.stdout), done.stderr
