"""The built zip as functions of the test bed: real processes under the Runtime Interface Emulator."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.emulators.aws import REGION, Aws, Function
from tests.emulators.rie import Runtime
from tests.pipeline.installation import Installation

PRODUCT = "runbook_engine.entrypoints.aws_lambda"
FUNCTIONS = {
    "ingest": "alert-ingest",
    "drive": "runbook-action",
    "approve": "approve",
    "sweep": "sweep",
    "census": "census",
}
BUCKET = "runbook-engine-bundles"
MORTAL = Path(__file__).with_name("mortal.py")


@dataclass
class Deployed:
    """One installation whose functions are the zip's, each in a process of its own."""

    aws: Aws
    zip: Path  # unpacked
    scratch: Path
    installed: Installation
    timeout: float = 30.0

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.functions: dict[str, Function] = {}
        self.runtimes: dict[str, Runtime] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, *roles: str, bundle: str = "") -> None:
        """Let the zip's own handlers be these functions."""
        named = {"RUNBOOK_BUNDLE": bundle} if bundle else {}
        for role in roles:
            self._start(role, f"{PRODUCT}.{role}", self.zip, named)

    def put_bundle(self, content: bytes = b"") -> str:
        """Put the installation's bundle, or something else, into a bucket; return its name as a function is told."""
        store = self.aws.client("s3")
        store.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        key = f"bundles/{self.installed.digest}"
        store.put_object(
            Bucket=BUCKET, Key=key, Body=content or (self.installed.folder / "bundle.msgpack").read_bytes()
        )
        return f"s3://{BUCKET}/{key}"

    def run_mortal(self, *roles: str) -> Mapping[str, Function]:
        """Let these functions live in the time of the test bed, and die where `die_at` says; return all there are."""
        self.die_at("")
        folder = beside(self.zip, self.scratch / "mortal")
        files = {name: str(self.scratch / name) for name in ("clock", "places", "death")}
        for role in roles:
            self._start(role, f"mortal.{role}", folder, {f"TEST_{name.upper()}": path for name, path in files.items()})
        return self.functions

    def die_at(self, place: str) -> None:
        """End the process at a place: its number, counted from now on, or the first of its name. Empty = nowhere."""
        (self.scratch / "death").write_text(place)
        (self.scratch / "places").write_text("")

    def hang_at(self, place: str) -> None:
        """Let the process do nothing more at a place, until its time is over."""
        self.die_at(f"{place} hang")

    @property
    def places(self) -> list[str]:
        """The places that were passed since `die_at`."""
        return (self.scratch / "places").read_text().splitlines()

    def _start(self, role: str, handler: str, folder: Path, more: Mapping[str, str]) -> None:
        runtime = Runtime(
            folder,
            handler,
            environment={
                **self.installed.pipeline.environment,
                "RUNBOOK_BUNDLE": str(self.installed.folder / "bundle.msgpack"),
                "RUNBOOK_BUNDLE_DIGEST": self.installed.digest,
                "AWS_ENDPOINT_URL": self.aws.serve(),
                **more,
            },
            timeout=self.timeout,
            name=FUNCTIONS[role],
            scratch=self.scratch / role,
        )
        self._stack.enter_context(runtime)
        self.runtimes[role] = runtime

        def invoke(event: Any, context: object) -> Any:
            (self.scratch / "clock").write_text(self.aws.clock.now().isoformat())
            return runtime.handler(event, context)

        name = f"{self.installed.pipeline.name}-{FUNCTIONS[role]}"
        self.functions[role] = self.aws.function(name, invoke, timeout=self.timeout)


def beside(zip_folder: Path, folder: Path) -> Path:
    """Return a folder with all that the zip holds, and the handlers of the test beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for top in zip_folder.iterdir():
        link = folder / top.name
        if not link.is_symlink():
            link.symlink_to(top)
    (folder / MORTAL.name).write_text(MORTAL.read_text())
    return folder
