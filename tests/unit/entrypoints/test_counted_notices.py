"""Counted notices: who was told, who could not be, and nothing else about it is different."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook_engine.entrypoints import worker_process
from runbook_engine.entrypoints.counted_notices import CountedNotices
from runbook_engine.entrypoints.launch import Launch, write_launch
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.errors import Busy, NoAdapter, Permanent, Retryable, RunbookError
from runbook_engine.model.observation import Message
from tests.contract.test_metrics import values_of
from tests.lab import bundle_in, install

MESSAGE = Message(id="m", event="opened", title="a", text="b", at=datetime(2026, 1, 1, tzinfo=UTC))


class Answering:
    """A notifier that answers with what it was given, one after the other."""

    def __init__(self, *answers: str | RunbookError) -> None:
        self._answers: Iterator[str | RunbookError] = iter(answers)

    def send(self, receiver: str, message: Message) -> str:
        """Return or raise the next answer."""
        answer = next(self._answers)
        if isinstance(answer, RunbookError):
            raise answer
        return answer


def test_a_notice_that_arrives_is_counted_as_told() -> None:
    """And its reference is handed on."""
    metrics = Metrics()

    assert CountedNotices(Answering("ts-1"), metrics.notices).send("chat", MESSAGE) == "ts-1"

    assert values_of(metrics.render([]).decode())["runbook_notices_total", ("told", "chat")] == 1.0


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Permanent("chat: token revoked"), id="a token that was revoked"),
        pytest.param(Retryable("chat: does not answer"), id="a receiver that is away"),
        pytest.param(NoAdapter("receiver"), id="a receiver that nobody built"),
    ],
)
def test_a_notice_that_does_not_arrive_is_counted_as_failed(error: RunbookError) -> None:
    """Each attempt counts, and the error is raised as it was."""
    metrics = Metrics()

    with pytest.raises(type(error)) as caught:
        CountedNotices(Answering(error), metrics.notices).send("chat", MESSAGE)

    assert caught.value is error
    assert values_of(metrics.render([]).decode())["runbook_notices_total", ("failed", "chat")] == 1.0


def test_a_notice_that_was_not_tried_is_not_counted() -> None:
    """A receiver that is told others at the moment is not one that cannot be told."""
    metrics = Metrics()

    with pytest.raises(Busy):
        CountedNotices(Answering(Busy("chat: others first")), metrics.notices).send("chat", MESSAGE)

    assert [name for name, labels in values_of(metrics.render([]).decode()) if "chat" in labels] == []


def test_every_receiver_begins_at_nothing_when_a_process_begins(tmp_path: Path) -> None:
    """So that Prometheus sees the first failure as an increase."""
    metrics = Metrics()
    bundle = bundle_in(tmp_path)

    metrics.begin(bundle)

    values = values_of(metrics.render([]).decode())
    assert bundle.configuration.receivers
    for receiver in bundle.configuration.receivers:
        assert values["runbook_notices_total", ("told", receiver.name)] == 0.0
        assert values["runbook_notices_total", ("failed", receiver.name)] == 0.0


def test_worker_counts_whom_it_tells_when_it_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that it drives tells by a notifier that counts."""
    metrics = Metrics()
    monkeypatch.setattr(worker_process, "Metrics", lambda folder: metrics)
    settings = install(tmp_path)
    launch = Launch(
        runbooks=str(settings.runbooks),
        config=str(settings.config or ""),
        state=str(settings.state),
        parent=1,
        descriptor=0,
        host="127.0.0.1",
        web_workers=1,
        web_threads=1,
        grace=1.0,
        read_limit=1.0,
    )
    write_launch(launch, bundle_in(tmp_path))

    worker, _, _ = worker_process.build_worker(launch)
    worker.engine.tell_crowded(3, datetime(2026, 1, 1, tzinfo=UTC))

    assert values_of(metrics.render([]).decode())["runbook_notices_total", ("told", "chat")] == 1.0
