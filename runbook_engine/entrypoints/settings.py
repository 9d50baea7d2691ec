"""Settings: the only place that reads the environment. Read once, frozen, handed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runbook_engine.entrypoints.vault import KEEPER, Vault
from runbook_engine.errors import NoAdapter, RunbookError
from runbook_engine.model.configuration import AdapterChoice, Configuration, SecretReference

RUNBOOKS = Path("runbooks")
CONFIG_NAME = "engine.yaml"
STATE = Path(".runbook")
SERVER = "http://127.0.0.1:8930"
LARGEST_SECRET = 16 * 1024


class InvalidSettings(RunbookError):
    """What this host was started with, or what engine.yaml says of it, cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one process was started with."""

    runbooks: Path = RUNBOOKS
    config: Path | None = None  # None: no configuration, so every answer is the safe one
    state: Path = STATE
    server: str = SERVER
    operator: str = ""  # who sits here: the `by` of what a person does without a server
    token: str = field(default="", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    looks_only: bool = False  # this process plans, and has no hands
    is_runner: bool = False  # this process belongs to the runner that holds the state folder
    keeper: AdapterChoice = KEEPER  # who is asked for {ssm: /path}
    vault: Vault = field(default_factory=Vault, repr=False, compare=False)

    @property
    def base(self) -> Path:
        """The folder that relative paths in engine.yaml start from: its own."""
        return (self.config.parent if self.config is not None else self.runbooks).absolute()

    def keeping(self, configuration: Configuration) -> Settings:
        """Return these settings with the secret store that engine.yaml names, if it names one."""
        choices = configuration.adapters.get("secrets", ())
        if len(choices) > 1:
            raise InvalidSettings("adapters.secrets: an installation has one secret store (keep one)")
        return replace(self, keeper=choices[0]) if choices else self

    def secret(self, reference: SecretReference) -> str:
        """Return a secret. Raises NoAdapter when it is not where the reference says, Unreadable when none can tell."""
        if reference.env:
            return self._from_environment(reference.env)
        if reference.file:
            return _from_file(self.base / reference.file)
        return self.vault.secret(reference.ssm, self.keeper, base=self.base, state=self.state)

    def _from_environment(self, name: str) -> str:
        value = self.environment.get(name, "").strip()
        if not value:
            raise NoAdapter(f"the secret {{env: {name}}} is not set", f"export {name} before starting")
        return value


def read_settings(
    *,
    runbooks: Path | str | None = None,
    config: Path | str | None = None,
    state: Path | str | None = None,
    server: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings: what was given, else the environment's, else the default.

    A configuration that was asked for must exist; `engine.yaml` beside the runbooks is used when it is there.
    """
    folder = Path(runbooks or environment.get("RUNBOOK_RUNBOOKS") or RUNBOOKS)
    asked = config or environment.get("RUNBOOK_CONFIG")
    if asked and not Path(asked).is_file():
        raise InvalidSettings(f"there is no configuration {asked} (correct --config or RUNBOOK_CONFIG)")
    usual = (folder if folder.is_dir() else folder.parent) / CONFIG_NAME
    return Settings(
        runbooks=folder,
        config=Path(asked) if asked else (usual if usual.is_file() else None),
        state=Path(state or environment.get("RUNBOOK_STATE") or STATE).absolute(),
        server=(server or environment.get("RUNBOOK_SERVER") or SERVER).rstrip("/"),
        operator=environment.get("RUNBOOK_OPERATOR") or environment.get("USER") or environment.get("LOGNAME") or "",
        token=environment.get("RUNBOOK_TOKEN", ""),
        environment=environment,
    )


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_SECRET + 1)
        value = content.decode("utf-8").strip()
    except OSError as error:
        remedy = "check the path and who may read it"
        raise NoAdapter(f"the secret file {path} cannot be read: {error.strerror}", remedy) from error
    except UnicodeDecodeError as error:
        raise NoAdapter(f"the secret file {path} is not text", "it holds the secret and nothing else") from error
    if not value or len(content) > LARGEST_SECRET:
        what = "empty" if not value else f"larger than {LARGEST_SECRET} bytes"
        raise NoAdapter(f"the secret file {path} is {what}", "it holds the secret and nothing else")
    return value
