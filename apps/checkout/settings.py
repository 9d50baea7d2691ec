"""The settings of the service, read once from the environment; a bad one stops the start with a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flags import parse_switch
from knobs import InvalidKnob, Knobs, parse_knobs, parse_number

KNOBS_TTL = 0.5  # seconds: a fault should begin and end when the demo says so


class InvalidSetting(Exception):
    """An environment variable holds a value that the service cannot use."""


@dataclass(frozen=True)
class Settings:
    """What the environment says."""

    release: str
    degraded_mode: bool
    flag_store: Path | None
    flag_name: str
    flag_ttl: float
    knobs: Knobs
    knobs_file: Path | None
    metrics_folder: Path | None


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check every variable; raise InvalidSetting for the first that cannot be used."""
    try:
        return Settings(
            release=environ.get("RELEASE", "unknown"),
            degraded_mode=parse_switch("DEGRADED_MODE", environ.get("DEGRADED_MODE", "false")),
            flag_store=_path(environ, "FLAG_STORE"),
            flag_name=environ.get("FLAG_NAME", "/checkout/degraded_mode"),
            flag_ttl=parse_number("FLAG_TTL", environ.get("FLAG_TTL", "5"), least=0.05, most=30, unit="seconds"),
            knobs=parse_knobs(environ),
            knobs_file=_path(environ, "KNOBS_FILE"),
            metrics_folder=_path(environ, "PROMETHEUS_MULTIPROC_DIR"),
        )
    except (InvalidKnob, ValueError) as error:
        raise InvalidSetting(str(error)) from error


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name)
    return Path(value) if value else None
