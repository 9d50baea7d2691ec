"""The figure that the alarm of a storm stands on: told by every sweep, whatever else comes of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from runbook_engine.entrypoints.aws_lambda.sweeping import sweep_up
from runbook_engine.errors import Overloaded
from runbook_engine.model.incident import Intake
from runbook_engine.model.storm import Latch
from tests.emulators.aws import Aws
from tests.pipeline.installation import Installation

Install = Callable[..., Installation]


def test_a_storm_is_told_by_every_sweep_while_it_is_held(aws: Aws, install: Install) -> None:
    """Under the name and without the dimensions that the alarm asks for, also when a driver cannot be asked for."""
    figures = io.StringIO()
    installed = install(rig=lambda host, acts: replace(host, metrics=figures))
    host = installed.host(acts=False)
    sweep_up(host)
    now = aws.clock.now()
    host.engine.journal.record(
        Intake(latch=Latch(held_since=now, last_at=now, reason="more than 50 targets within 5m"))
    )
    aws.bus.fail_entries("AccessDeniedException", which=lambda index, entry: True, times=5)
    assert installed.post(installed.fires()).status == 202
    aws.clock.push(timedelta(minutes=2))

    with pytest.raises(Overloaded):
        sweep_up(host)

    lines = [json.loads(line) for line in figures.getvalue().splitlines()]
    told = [(line["StormHeld"], line["_aws"]["CloudWatchMetrics"][0]) for line in lines if "StormHeld" in line]
    metric = {
        "Namespace": "RunbookEngine",
        "Dimensions": [[]],
        "Metrics": [{"Name": "StormHeld", "Unit": "Count"}],
    }
    assert [(0, metric), (1, metric)] == told
