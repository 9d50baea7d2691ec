"""A journal that is damaged under a runner, or before it starts.

Bits are flipped in the file while a real runner works. Whatever it takes for true meanwhile, and after the restart that
follows: nothing is done twice, and what cannot be done any more is refused, named in the log, or found by the audit.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from runbook_adapters.sqlite.log import is_damaged
from runbook_engine.errors import RunbookError
from runbook_engine.proof.trail import check_trail
from tests.chaos.machine.site import PATIENCE, Site, open_journal, site
from tests.chaos.machine.test_disk import crowd
from tests.chaos.tally import LONG, SEED, Tally, keep, tries
from tests.e2e.runner import Runner
from tests.lab import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("a runner on a machine at fault")]

FILE, LOG = "journal.sqlite3", "journal.sqlite3-wal"
HEADER = 100  # bytes of the file, in which a flip is told by every SQLite
FAILED = 3
CLI = "import sys; from runbook_engine.entrypoints.cli import main; sys.exit(main())"


@pytest.mark.skipif(not LONG, reason="the long form (make chaos)")
def test_a_journal_that_is_damaged_while_it_is_in_use_never_acts_twice(tmp_path: Path) -> None:
    """Flipped under the runner; then the runner is killed, and the next one starts from what is left."""
    times, wanted, lost, doubled, named = tries(1, 30), 0, 0, 0, 0
    for number in range(times):
        rng = random.Random(SEED + number)
        folder = tmp_path / str(number)
        folder.mkdir()
        with site(folder, folder / "state", rng) as made:
            refused = struck(made, rng)
            done = made.target.done
            missing = sum(not done[part] for part in made.acknowledged)
            wanted += len(made.acknowledged)
            doubled += sum(times > 1 for times in done.values())
            named += refused
            lost += 0 if refused else missing
    kept = keep(
        Tally(
            fault="flipped bits in a journal in use",
            host="local",
            tries=times,
            effects=wanted,
            lost=lost,
            doubled=doubled,
            remark=f"refused or named {named} times; what such a journal had acknowledged is in no row",
        )
    )
    assert kept.sound, SEED


def struck(made: Site, rng: random.Random) -> bool:
    """Flip bits of a journal in use, kill the runner, start the next. Returns whether anybody said what is wrong."""
    state = made.settings.state
    with crowd(made):
        wait_until(lambda: len(made.acknowledged) > 5, "there is something to damage", PATIENCE)
        with closing(open_journal(state)) as journal, journal.inbox._database.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        with (state / FILE).open("r+b") as file:
            size = file.seek(0, 2)
            for _ in range(rng.randint(1, 8)):
                at = file.seek(rng.randrange(HEADER, size))
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << rng.randrange(8)]))
        time.sleep(rng.uniform(0.2, 1.5))
    for process in [made.runner.process.pid, *made.processes()]:
        subprocess.run(["kill", "-9", str(process)], check=False, capture_output=True)
    made.runner.process.wait()
    wait_until(lambda: not made.runner.left(), "nothing of it is left", PATIENCE)
    starts = len(made.runner.events("serve.started"))
    again = made.runner = Runner(made.settings)
    wait_until(
        lambda: again.process.poll() is not None or len(again.events("serve.started")) > starts, "it starts", PATIENCE
    )
    if made.runner.process.poll() is not None:
        return True
    made.runner.wait_for_start(PATIENCE)
    try:
        wait_until(lambda: all(made.target.done[part] for part in made.acknowledged), "all is done", 15)
    except AssertionError:
        if is_named(made):
            return True
        with suppress(AssertionError):  # nothing is lost on a machine that is only busy
            wait_until(lambda: all(made.target.done[part] for part in made.acknowledged), "all is done", PATIENCE)
    return is_named(made)


def is_named(made: Site) -> bool:
    """Whether the log, or who verifies the trails, says that something is wrong."""
    if "is damaged" in made.runner.log_file.read_text() or "cannot read" in made.runner.log_file.read_text():
        return True
    journal = open_journal(made.settings.state)
    try:
        with journal.inbox._database.reading() as connection:
            if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                return True
        return any(check_trail(run, journal).findings for run in journal.executions(limit=1_000_000))
    except RunbookError:
        return True
    finally:
        journal.close()


@pytest.mark.skipif(
    not LONG, reason="the long form (make chaos); tests/contract/journal/test_sqlite_file.py has the parts"
)
def test_everybody_says_what_to_do_when_the_log_is_removed_under_a_runner(tmp_path: Path) -> None:
    """Monitoring, the first screen and doctor: nothing is wrong with the disk."""
    says = (
        f"has lost its log, {LOG}, while in use (stop what uses it with SIGTERM, "
        "which moves what it still holds into the journal, then start again)"
    )
    with site(tmp_path, tmp_path / "state", random.Random(SEED)) as made:
        state = made.settings.state
        assert made.post()
        (state / LOG).unlink()
        wait_until(lambda: made.ready() == (503, [f"journal {FILE} {says}"]), "/readyz says it", PATIENCE)
        places = ("--runbooks", str(made.settings.runbooks), "--state", str(state))
        screen, doctor = (
            subprocess.run(
                [sys.executable, "-c", CLI, *asked, *places],
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
            for asked in ((), ("doctor", "--server", made.runner.address))
        )

    assert (screen.returncode, screen.stderr) == (FAILED, f"runbook: journal {state / FILE} {says}\n"), SEED
    assert f"FAIL  journal           journal {state / FILE} {says}\n" in doctor.stdout, SEED
    assert f"FAIL  runner            says that it is not ready: journal {FILE} {says}\n" in doctor.stdout, SEED


@pytest.mark.parametrize(
    ("damaged", "sentence"),
    [
        pytest.param(
            FILE,
            "journal {path} is not a SQLite file (set another path, or move the file away)\n",
            id="a file of something else",
        ),
        pytest.param(
            LOG,
            f"journal {{path}} is damaged: its log, {LOG}, cannot be read to its end "
            "(stop every process that uses it, keep a copy of its files, restore it from a backup)\n",
            id="a log without its middle",
        ),
    ],
)
def test_a_runner_refuses_to_start_on_a_damaged_journal(damaged: str, sentence: str, tmp_path: Path) -> None:
    """With one sentence that says what to do, and the exit code of what is broken on this machine."""
    state = tmp_path / "state"
    state.mkdir()
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "engine.yaml").write_text("apiVersion: runbook-engine/v1\nkind: EngineConfig\n")
    leave(tmp_path, state, damaged)
    content = bytearray((state / damaged).read_bytes())
    content[0 if damaged == FILE else 32 + 24 + 100] ^= 1
    assert damaged == FILE or is_damaged(bytes(content))
    (state / damaged).write_bytes(content)

    places = ("--runbooks", str(tmp_path / "runbooks"), "--state", str(state))
    begun = subprocess.run(
        [sys.executable, "-m", "runbook_engine.entrypoints.serve", "--port", "0", *places],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (begun.returncode, begun.stderr) == (FAILED, sentence.format(path=state / FILE))


def leave(folder: Path, state: Path, name: str) -> None:
    """Leave a journal as a runner does that has stopped, or with a log, as one does that was killed."""
    journal = open_journal(folder)
    for number in range(4):
        with journal.inbox._database.writing() as connection:
            connection.execute(f"CREATE TABLE more_{number} (body BLOB)")
    if name == FILE:
        journal.close()
    for left in {FILE, name}:
        shutil.copy(folder / left, state / left)
