"""The action redrive over the adapter: prepared, begun, and looked at until the messages are back."""

from __future__ import annotations

from runbook_adapters.sqs import ADAPTER
from runbook_engine.actions import redrive
from runbook_engine.model.plan import Change
from tests.contract.functions.engine import Engine
from tests.contract.queues.rigs import SqsRig


def test_messages_are_back_when_redriven(sqs_rig: SqsRig) -> None:
    """One move, begun once, and known until it has ended."""
    engine = Engine(sqs_rig.bed.clock, sqs_rig.settle, queues=sqs_rig.bed.serve(ADAPTER, "queues"))

    change = engine.run(redrive, sqs_rig.target, per_second=5)

    assert "at most 10 back to jobs" == change.after
    assert 1 == len(sqs_rig.tasks.started)


def test_move_is_found_when_its_receipt_is_lost(sqs_rig: SqsRig) -> None:
    """After a crash there is no receipt; the move that was not there before is ours."""
    engine = Engine(sqs_rig.bed.clock, sqs_rig.settle, queues=sqs_rig.bed.serve(ADAPTER, "queues"))
    change = engine.prepare(redrive, sqs_rig.target)
    assert isinstance(change, Change)
    redrive.apply(change, "e-1/1", engine.effects)

    assert "progressing" == redrive.observe(change, {}, engine.world).status
    sqs_rig.settle()
    assert "done" == redrive.observe(change, {}, engine.world).status
