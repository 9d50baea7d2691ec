"""The ration after a storm: however many drive, and whatever else happens, what follows a release is no storm."""

from __future__ import annotations

import random
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as some

from runbook_engine.engine import Engine
from runbook_engine.model.directive import Next
from runbook_engine.model.incident import Intake
from runbook_engine.model.runbook import Step
from runbook_engine.model.storm import Latch, StormRule
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.contention.crowd import engine_over, open_journal, storm
from tests.contention.tally import Tally
from tests.scenario.rig import MINUTE, SECOND, Rig, configuration, runbook
from tests.scenario.test_storm_latch import flags

TIME = timedelta(minutes=5)
RATIONED = StormRule(max_targets=5, at_a_time=3)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_never_more_than_the_ration_is_changed_when_eight_threads_drive_all_that_was_held(
    tmp_path: Path, kind: str
) -> None:
    """In every window exactly the ration, until nobody waits: the commit of a change takes it, or waits."""
    journal: Journal = MemoryJournal() if kind == "memory" else open_journal(tmp_path)
    tally = Tally(tmp_path / "tally")
    engines = [engine_over(journal, tmp_path, storm_rule=RATIONED) for _ in range(8)]
    for index in range(14):
        engines[0].ingest(storm(f"/victim/{index}"))
    latch = journal.latch()
    assert latch.held_since is not None
    _drive_together(engines, latch.held_since + SECOND)
    assert [] == tally.lines

    moment = latch.held_since + MINUTE
    held = engines[0].release_storm(by="ann", now=moment)
    counts = []
    for window in range(5):
        _drive_together(engines, moment + window * TIME)
        counts.append(len(tally.lines))

    assert (14, 3) == (held.runs, len(held.first))
    assert [3, 6, 9, 12, 14] == counts
    assert 14 == len(set(tally.lines))


def _drive_together(engines: list[Engine], now: datetime) -> None:
    """Let every engine's thread drive whatever is due, in an order of its own, for as long as something is."""
    start, problems = threading.Barrier(len(engines)), list[BaseException]()

    def work(number: int) -> None:
        engine = engines[number]
        start.wait()
        try:
            for again in range(3):
                due = list(engine.due(now))
                random.Random(number + again).shuffle(due)
                for each in due:
                    while isinstance(engine.drive(each, f"thread-{number}", now, TIME), Next):
                        pass
        except BaseException as problem:  # noqa: BLE001 - the end of a thread: what went wrong is for the test to say
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(engines))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [] == problems


@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(some.booleans(), some.lists(some.tuples(some.integers(5, 400), some.integers(0, 2)), max_size=10))
@example(False, [(102, 1), (150, 2), (260, 2), (206, 2), (22, 1), (129, 2), (211, 1), (345, 0), (192, 2), (364, 2)])
def test_never_more_than_the_ration_is_changed_in_any_window_after_a_release(
    by_a_person: bool, steps: list[tuple[int, int]]
) -> None:
    """By a person or by calm, whatever opens meanwhile, even if that trips the latch again; no burst at its end."""
    made = Rig(flags(), settings=configuration(storm=RATIONED))
    wanted = 7
    for index in range(7 + 20):
        made.simulated.set_parameter(f"/checkout/{index}", "false")
    for index in range(wanted):
        made.fire(flag=f"/checkout/{index}", service=f"s{index}")
    made.drive()
    made.simulated.push(MINUTE if by_a_person else 15 * MINUTE)
    if by_a_person:
        made.engine.release_storm(by="ann", now=made.now)

    changes: list[datetime] = []
    for wait, opened in [(0, 0), *steps, *[(61, 0)] * 10]:
        made.simulated.push(timedelta(seconds=wait))
        for index in range(wanted, wanted + opened):
            made.fire(flag=f"/checkout/{index}", service=f"s{index}")
        wanted += opened
        made.drive()
        new = sum(made.simulated.value_of(f"/checkout/{index}") == "true" for index in range(wanted)) - len(changes)
        changes += [made.now] * new

    assert all(sum(at - TIME < each <= at for each in changes) <= 3 for at in changes)
    assert len(changes) >= 3


def test_every_change_of_a_run_takes_from_the_ration() -> None:
    """A run of two changes waits in the middle for its second, as long as anybody else would."""
    both = tuple(
        Step(name=name, action="degrade", arguments={"parameter": f"/checkout/{name}", "value": "true"})
        for name in ("first", "second")
    )
    book = runbook(strategy="sequence", verify=(), steps=both)
    made = Rig(book, settings=configuration(storm=StormRule(max_targets=1)))
    for name in ("first", "second"):
        made.simulated.set_parameter(f"/checkout/{name}", "false")
    made.journal.record(Intake(latch=Latch(released_by="ann", released_at=made.now)))

    made.fire()
    made.run(4 * MINUTE, step=MINUTE)
    halfway = [made.simulated.value_of(f"/checkout/{name}") for name in ("first", "second")]
    waiting = made.execution().waiting_for
    made.run(2 * MINUTE, step=MINUTE)

    said = "storm: it was let go, and no more than 1 change goes on within 5m; this one waits for its turn"
    assert (["true", "false"], said) == (halfway, waiting)
    assert "true" == made.simulated.value_of("/checkout/second")
    assert "succeeded" == made.execution().status
