"""The action ssmAutomation over the adapter: one run for one effect, followed to its end."""

from __future__ import annotations

from runbook_adapters.ssm_automation import ADAPTER
from runbook_engine.actions import ssm_automation
from runbook_engine.model.plan import Change
from runbook_engine.model.target import NO_TARGET
from tests.contract.automations.automations_contract import ARGUMENTS
from tests.contract.automations.rigs import SsmAutomationRig
from tests.contract.functions.engine import Engine


def test_run_is_followed_to_its_end_when_started(ssm_rig: SsmAutomationRig) -> None:
    """Started once, also when the same effect is applied again after a crash."""
    served = ssm_rig.bed.serve(ADAPTER, "automations")
    engine = Engine(ssm_rig.bed.clock, lambda: ssm_rig.finish(well=True), automations=served)

    change = engine.prepare(ssm_automation, NO_TARGET, automation="reboot", arguments=ARGUMENTS)
    assert isinstance(change, Change)
    ended = engine.make_true(ssm_automation, change)
    again = ssm_automation.apply(change, "e-1/1", engine.effects)

    assert "done" == ended.status
    assert "done" == again.status
    assert 1 == len(ssm_rig.service.started)
