"""The service on a bench: a clock to push, luck to set, and a flag store and knobs in a folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import create_app


@dataclass
class Bench:
    """The service on a bench: its files, its clock, its luck and what it did."""

    folder: Path
    now: float = 0.0
    luck: float = 0.5
    slept: list[float] = field(default_factory=list)
    crashes: list[float] = field(default_factory=list)

    @property
    def flag_store(self) -> Path:
        """The file that plays the flag store."""
        return self.folder / "flags.json"

    @property
    def knobs_file(self) -> Path:
        """The file with the knobs of the moment."""
        return self.folder / "knobs.json"

    def set_flag(self, value: object) -> None:
        """Write the degraded-mode flag as the engine's own store does: a new file, renamed into place."""
        self.write_store({"flags": {"/checkout/degraded_mode": {"value": value, "version": 1}}})

    def write_store(self, store: object) -> None:
        """Replace the flag store by any JSON value."""
        new = self.flag_store.with_suffix(".new")
        new.write_text(json.dumps(store), encoding="utf-8")
        new.rename(self.flag_store)

    def set_knobs(self, **knobs: object) -> None:
        """Turn the knobs at run time."""
        self.knobs_file.write_text(json.dumps(knobs), encoding="utf-8")

    def sleep(self, seconds: float) -> None:
        """Let time pass without waiting for it."""
        self.slept.append(seconds)
        self.now += seconds

    def start(self, **environ: str) -> FlaskClient:
        """Start the service with this environment, the two files always named."""
        app = create_app(
            {"FLAG_STORE": str(self.flag_store), "KNOBS_FILE": str(self.knobs_file), **environ},
            clock=lambda: self.now,
            sleep=self.sleep,
            chance=lambda: self.luck,
            crash=lambda: self.crashes.append(self.now),
        )
        return app.test_client()


def read_series(page: str) -> dict[str, float]:
    """Read a metrics page into name{label="value"} -> value."""
    return {
        sample.name + "".join(f'{{{name}="{value}"}}' for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def scrape(client: FlaskClient) -> dict[str, float]:
    """Scrape the service."""
    return read_series(client.get("/metrics").text)
