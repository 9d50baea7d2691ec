"""A case of tests/crash, hosted in the in-process AWS: its journal, its state machine, and functions that die."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from runbook_engine.entrypoints.aws_lambda.host import Host as CloudFunction
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import AdapterChoice, Configuration, SecretReference, Token
from runbook_engine.model.execution import Execution
from tests.crash.cases import Case
from tests.crash.host import LONGEST, RESOLVES_AFTER, Host, configuration, engine_of
from tests.crash.mortality import Mortality
from tests.emulators.aws import Aws, Killed
from tests.pipeline.installation import TOKEN, Installation

SWEEP = "runbook-engine-sweep"
LONG = os.environ.get("RUNBOOK_CRASH") == "long"
PULSE = timedelta(minutes=1 if LONG else 5)  # of the sweep; it finds nothing to do but after a death
PAUSE = AdapterChoice(adapter="ssm", settings={"parameter": "/runbook-engine/pause"})


def gone(name: str) -> None:
    """Die as a function's process dies."""
    raise Killed(name)


def cloud_configuration() -> Configuration:
    """Return the installation of the crash tests, as AWS needs it: a token, and a kill switch outside the function."""
    token = Token(
        name="sender", roles=("ingest",), secrets=(SecretReference(ssm="/runbook-engine/tokens/alertmanager"),)
    )
    return msgspec.structs.replace(configuration(), tokens=(token,), adapters={"pause": (PAUSE,)})


class CloudHost(Host):
    """One case from its alert to its end. After each death the platform starts a new process, and nobody else helps."""

    def __init__(self, case: Case, folder: Path, mortality: Mortality) -> None:
        self.folder = folder
        super().__init__(case, folder, mortality)

    def play(self) -> CloudHost:
        """Play the whole case."""
        with Aws(clock=self.simulated.clock) as aws:
            bundle = Bundle((self.case.runbook,), cloud_configuration())
            self.installed = Installation(aws, self.folder, bundle=bundle, rig=self._rig)
            aws.schedule(SWEEP, every=PULSE)
            started = aws.clock.now()
            self._post("firing", started)
            self._until(aws, started + RESOLVES_AFTER)
            self.fault = self.case.fault_stays
            self._post("resolved", started)
            self._until(aws, started + LONGEST)
            self.kept = self.installed.host(acts=False).engine.journal
            self._read()
        return self

    @property
    def execution(self) -> Execution:
        """The one execution there was at the end."""
        return self._execution

    def _rig(self, built: CloudFunction, acts: bool) -> CloudFunction:
        """Return the function with the simulated world around it; one that acts is mortal."""
        if not acts:
            return built
        self.lives += 1
        engine = engine_of(
            self.case.runbook,
            journal=built.engine.journal,
            world=self.simulated.world,
            effects=self.simulated.effects,
            registry=self.registry,
            mortality=self.mortality,
        )
        return replace(built, engine=engine)

    def _live(self) -> Any:
        """Nothing lives until it is called."""
        return None

    def _post(self, status: str, started: datetime) -> None:
        alert: dict[str, Any] = {
            "status": status,
            "labels": {"alertname": self.alert, "severity": "critical", "namespace": "apps"},
            "startsAt": started.isoformat(),
        }
        if status == "resolved":
            alert["endsAt"] = self.simulated.clock.now().isoformat()
        assert self.installed.post(alert, token=TOKEN, scope="local").status == 202

    def _until(self, aws: Any, end: datetime | None = None) -> None:
        """Let time pass, and let a person answer what is asked before the next sweep."""
        assert end is not None
        while aws.clock.now() < end:
            aws.advance(min(PULSE, end - aws.clock.now()))
            self._answer_all()

    def _answer_all(self) -> None:
        front = self.installed.host(acts=False)
        for execution in front.engine.journal.executions(limit=10):
            request = execution.approval
            if request is not None and not front.engine.journal.signals(execution.id, execution.signals_consumed):
                now = front.clock.now()
                front.engine.approve(execution.id, plan_hash=request.hash, by="ann", now=now)
                front.waker.wake([execution.id])

    def _read(self) -> None:
        """Keep what the journal says: the account is gone afterwards."""
        (self._execution,) = self.kept.executions(limit=10)
        self.trail = self.kept.audit(self._execution.id)
