"""The screens of backtest and diff: what is counted is told, and what is nothing is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from runbook_engine.model.hindsight import Backtest, Difference, Hindsight, Unmatched, Window
from runbook_engine.render.backtest import UNKNOWN, record_backtest, render_backtest
from runbook_engine.render.difference import render_difference
from runbook_engine.render.lines import plain

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUSY = Hindsight(
    runbook="shed",
    mode="auto",
    matched=9,
    joined=1,
    came_back=1,
    would_act=3,
    would_propose=1,
    resolved_first=1,
    undecided=1,
    blocked=2,
    blocked_by={"cooldown": 2, "budget": 1},
    blocked_later={"targets": 1},
    says={"cooldown": "too soon", "budget": "too many", "targets": "not ours"},
    flapping=1,
    unknown={"pause": 6, "verify": 5},
    first=NOON,
    last=NOON + timedelta(hours=5),
    busiest=NOON,
    busiest_episodes=4,
)
BACKTEST = Backtest(
    window=Window(since=NOON, until=NOON + timedelta(days=30), step=timedelta(minutes=1)),
    episodes=12,
    names=3,
    began_before=1,
    still_firing=2,
    matched=9,
    rejected=1,
    runbooks=(BUSY, Hindsight(runbook="idle", mode="")),
    unmatched=(Unmatched(name="Disk\x1b[31m", episodes=2, firing=timedelta(hours=30)),),
    unmatched_episodes=2,
    assumptions=("nobody answers",),
)
DIFFERENCE = Difference(
    before="a",
    after="b",
    alerts=1,
    distinct=1,
    rejected=2,
    added=(),
    removed=(),
    runbooks=(),
    without_effect=("shed",),
    unchanged=3,
)


def test_a_backtest_is_told_whole() -> None:
    """Every count, each with its reasons; what a sender wrote cannot reach the terminal."""
    assert (
        "30d from 2026-03-01 12:00 to 2026-03-31 12:00 UTC, looked at every 1m\n"
        "12 episodes of 3 alerts (1 episode began before; 2 still firing at the end; 1 alert could not be used): "
        "9 match a runbook, 2 match none, 1 are heartbeats\n"
        "would act 3, propose 1, be blocked 2\n"
        "\n"
        "shed  auto  9 episodes, 1 of them joined a run that was there\n"
        "  would act 3, propose 1, be blocked 2\n"
        "  blocked by cooldown  2  as in: too soon\n"
        "  blocked by budget    1  as in: too many\n"
        "  stopped at a later step by targets  1  as in: not ours\n"
        "  1 run no further than propose, because the alert flapped\n"
        "  1 run resolved before anything could be done\n"
        "  1 run came back within the hold time, and would have been handed over\n"
        "  1 run still waiting when the history ends\n"
        "  first 2026-03-01 12:00, last 2026-03-01 17:00, busiest hour 2026-03-01 12:00 with 4 episodes\n"
        "  unknown then: pause 6, verify 5\n"
        "\n"
        "matched nothing: idle\n"
        "\n"
        "no runbook matches\n"
        "  Disk\\x1b[31m  2 episodes  firing for 1d6h\n"
        "\n"
        "nobody knows now\n"
        "  pause   6 runs  whether the engine was paused\n"
        "  verify  5 runs  whether it would have been fixed\n"
        "assumed\n"
        "  nobody answers\n"
    ) == plain(render_backtest(BACKTEST))


def test_a_guardrail_that_came_later_is_told_by_its_name() -> None:
    """What nobody has a sentence for is still counted."""
    stranger = replace(BACKTEST, runbooks=(replace(BUSY, unknown={"newcomer": 1}),))

    assert "newcomer" not in UNKNOWN
    assert [{"what": "newcomer", "says": "newcomer", "runs": 1}] == record_backtest(stranger)["unknown"]


def test_no_difference_is_said_in_one_line() -> None:
    """And what was written otherwise to the same effect, apart from it."""
    assert (
        "a -> b  1 firing alert, 1 of them different, 2 could not be used\n"
        "\n"
        "written otherwise, to the same effect: shed\n"
        "no difference, 3 runbooks unchanged\n"
    ) == plain(render_difference(DIFFERENCE))
