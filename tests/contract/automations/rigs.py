"""One pinned automation, simulated and behind the adapter; moto runs none, so its answers are made here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from runbook_adapters.ssm_automation import ADAPTER
from runbook_engine.model.configuration import Configuration
from runbook_engine.ports import AutomationReader, AutomationWriter
from runbook_engine.testing import SimulatedWorld
from tests.contract.automations.automations_contract import TEMPLATE
from tests.contract.functions.bed import Bed, Refusal

A_WHILE = timedelta(minutes=1)
CONFIGURATION = Configuration(automations=(TEMPLATE,))
Answer = tuple[Refusal, dict[str, Any]]


class AutomationService:
    """Starts and shows runs as Systems Manager does: one for each token, and a token is for one request only."""

    def __init__(self, bed: Bed) -> None:
        self.started: list[Mapping[str, Any]] = []
        self.answers_are_lost = False
        self._runs: dict[str, dict[str, Any]] = {}
        self._by_token: dict[str, tuple[Mapping[str, Any], str]] = {}
        bed.touching("ssm").handle("StartAutomationExecution", self._start)
        bed.looking("ssm").handle("GetAutomationExecution", self._get)

    def tell(self, **told: Any) -> None:
        """Let the newest run be something else."""
        list(self._runs.values())[-1].update(told)

    def _start(self, body: Mapping[str, Any]) -> Answer:
        known, run = self._by_token.get(body["ClientToken"], (body, ""))
        if known != body:
            return _refusal("IdempotentParameterMismatch", 400)
        if not run:
            run = str(uuid.uuid4())
            self.started.append(body)
            self._by_token[body["ClientToken"]] = (body, run)
            self._runs[run] = {"AutomationExecutionId": run, "AutomationExecutionStatus": "InProgress"}
        if self.answers_are_lost:
            return _refusal("InternalServerError", 500)
        return Refusal(200), {"AutomationExecutionId": run}

    def _get(self, body: Mapping[str, Any]) -> Answer:
        found = self._runs.get(body["AutomationExecutionId"])
        if found is None:
            return _refusal("AutomationExecutionNotFoundException", 400)
        return Refusal(200), {"AutomationExecution": dict(found)}


class SsmAutomationRig:
    """The adapter `ssmAutomation`."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.service = AutomationService(bed)
        self.touching = bed.touching("ssm")
        self.looking = bed.looking("ssm")
        served = bed.serve(ADAPTER, "automations")
        self.probe = served.probe
        self.reader: AutomationReader = served.reader
        self.writer: AutomationWriter = served.writer

    def finish(self, *, well: bool) -> None:
        """Let the newest run end."""
        failed = {"AutomationExecutionStatus": "Failed", "FailureMessage": "no such instance"}
        self.service.tell(**({"AutomationExecutionStatus": "Success"} if well else failed))


class SimulatedAutomationsRig:
    """The automations of a simulated world."""

    def __init__(self) -> None:
        self._simulated = SimulatedWorld()
        self._simulated.automations.allow(TEMPLATE)
        self.reader: AutomationReader = self._simulated.automations
        self.writer: AutomationWriter = self._simulated.automations

    def finish(self, *, well: bool) -> None:
        """Push the clock until the newest run has ended."""
        self._simulated.automations.ends[TEMPLATE.name] = "succeeded" if well else "failed"
        self._simulated.clock.push(A_WHILE)


def _refusal(code: str, status: int) -> Answer:
    return Refusal(status), {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
