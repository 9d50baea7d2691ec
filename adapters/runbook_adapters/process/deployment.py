"""A deployment of this machine: what is wanted of one gunicorn master, and the history of how it came so.

Pure: every change is a function from a deployment to the next. The folder is in `folder.py`, the running
master in `master.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from runbook_engine.model.observation import Revision

ENGINE = "runbook-engine"  # who made a change, when this engine did
KEPT_RELEASES = 20
KEPT_EVENTS = 200


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One revision: a release of the service with the settings it ran with."""

    number: int
    release: str
    settings: Mapping[str, str] = {}
    released_at: datetime
    healthy: bool | None = None
    summary: str = ""
    rolled_back: tuple[int, int] | None = None  # from which revision, to which

    def as_revision(self) -> Revision:
        """Return what a reader of the port sees of it."""
        return Revision(
            number=self.number, released_at=self.released_at, healthy=self.healthy, summary=self.summary or self.release
        )


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change that somebody made."""

    at: datetime
    who: str
    what: str


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the master is run; these do not change while it lives."""

    application: str  # module:callable
    bind: str  # host:port
    source: str  # the folder that the application is imported from
    threads: int = 4
    ready_path: str = ""  # asked over HTTP when workers are counted; empty = not asked
    graceful_timeout: int = 30

    def __post_init__(self) -> None:
        """Refuse an address that cannot be asked whether the service is ready."""
        host, _, port = self.bind.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"bind is host:port, not {self.bind}")


class Deployment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The wanted state of one deployment. `generation` rises with every change that the master must take in."""

    schema_version: int = 1
    uid: str
    namespace: str
    name: str
    service: str
    server: Server
    replicas: int
    generation: int
    changed_at: datetime  # when the generation rose
    restarted_at: str = ""
    revisions: tuple[Release, ...]  # newest first; the first is the one that runs
    events: tuple[Event, ...] = ()  # newest first

    @property
    def current(self) -> Release:
        """The revision that is wanted now."""
        return self.revisions[0]

    def find_revision(self, number: int) -> Release | None:
        """Return a kept revision."""
        return next((release for release in self.revisions if release.number == number), None)

    def __str__(self) -> str:
        return f"{self.namespace}/deployment/{self.name}"


def scaled(deployment: Deployment, replicas: int, *, by: str, now: datetime) -> Deployment:
    """Return the deployment with another number of workers."""
    return _changed(deployment, f"replicas {deployment.replicas} -> {replicas}", by, now, replicas=replicas)


def restarted(deployment: Deployment, mark: str, *, by: str, now: datetime) -> Deployment:
    """Return the deployment with every worker to be replaced, under a mark."""
    return _changed(deployment, f"rolling restart ({mark})", by, now, restarted_at=mark)


def released(deployment: Deployment, release: Release, what: str, *, by: str) -> Deployment:
    """Return the deployment with a new newest revision."""
    revisions = (release, *deployment.revisions)[:KEPT_RELEASES]
    return _changed(deployment, what, by, release.released_at, revisions=revisions)


def next_release(deployment: Deployment, name: str, settings: Mapping[str, str], *, now: datetime) -> Release:
    """Return the revision that a person or a pipeline would release now."""
    return Release(
        number=_next_number(deployment), release=name, settings=dict(settings), released_at=now, summary=name
    )


def rolled_back(deployment: Deployment, to: Release, *, by: str, now: datetime) -> Deployment:
    """Return the deployment with an older revision's release and settings as its newest revision."""
    current = deployment.current
    release = Release(
        number=_next_number(deployment),
        release=to.release,
        settings=to.settings,
        released_at=now,
        summary=f"{to.release}, rolled back from revision {current.number} to {to.number}",
        rolled_back=(current.number, to.number),
    )
    what = f"rollback {current.release} -> {to.release} (revision {current.number} to {to.number})"
    return released(deployment, release, what, by=by)


def judged(deployment: Deployment, *, healthy: bool) -> Deployment:
    """Return the deployment with the running revision known to be healthy, or not."""
    return replace(deployment, revisions=(replace(deployment.current, healthy=healthy), *deployment.revisions[1:]))


def is_rolled_back(deployment: Deployment, *, to: int, expected: int) -> bool:
    """Whether that very rollback is what runs now."""
    return deployment.current.rolled_back == (expected, to) or deployment.current.number == to


def _changed(deployment: Deployment, what: str, by: str, now: datetime, **fields: object) -> Deployment:
    events = (Event(at=now, who=by, what=what), *deployment.events)[:KEPT_EVENTS]
    return replace(deployment, generation=deployment.generation + 1, changed_at=now, events=events, **fields)


def _next_number(deployment: Deployment) -> int:
    return max(release.number for release in deployment.revisions) + 1
