"""verify-audit and replay: what is proven of the past, on a terminal and for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from runbook_engine.errors import UnknownExecution, Unreadable
from runbook_engine.loading.compile import digest_of
from runbook_engine.machine.trace import read_trace
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.scenario.rig import MINUTE, SCALE, runbook
from tests.unit.cli.desks import Sitting

RUNBOOK = replace(runbook(), digest=digest_of(runbook()))


@pytest.fixture
def sitting(tmp_path: Path) -> Sitting:
    """Somebody at a desk, after a run that shed load."""
    made = Sitting(tmp_path, RUNBOOK)
    made.rig.healed_by_flag()
    made.rig.fire()
    made.rig.run(5 * MINUTE, MINUTE)
    return made


@pytest.fixture
def execution(sitting: Sitting) -> Execution:
    """The run."""
    return sitting.rig.execution()


def _memory(sitting: Sitting) -> MemoryJournal:
    assert isinstance(sitting.rig.journal, MemoryJournal)
    return sitting.rig.journal


def test_verify_audit_of_a_whole_journal(sitting: Sitting, execution: Execution) -> None:
    """One sum, and exit 0."""
    result = sitting.run("verify-audit")

    assert (0, "") == (result.code, result.err)
    assert f"1 execution, {execution.audit_length} records: every chain is whole\n" == result.out


def test_verify_audit_names_what_was_altered(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By execution and record, and exit 1."""
    records = list(sitting.rig.journal.audit(execution.id))
    records[2] = replace(records[2], actor="nobody")
    monkeypatch.setattr(_memory(sitting), "audit", lambda execution_id, after=0: tuple(records[after:]))

    text = sitting.run("verify-audit", execution.id[:8])
    record = sitting.run("verify-audit", "--format", "json")

    says = "record 3 is not what was hashed: it was altered"
    total = f"1 execution, {len(records)} records: 1 finding"
    assert (1, f"{execution.id}  {says}\n{total}\n") == (text.code, text.out)
    assert 1 == record.code
    assert {
        "executions": 1,
        "records": len(records),
        "findings": [{"execution": execution.id, "number": 3, "says": says}],
    } == record.record


def test_verify_audit_says_that_an_execution_cannot_be_read(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the head of its chain. The executions of other incidents are looked at all the same."""
    incident = sitting.rig.journal.incident(execution.incident_id)

    def unreadable(**limits: Any) -> tuple[Execution, ...]:
        if limits.get("incident_id") == "another":
            return (execution,)
        raise msgspec.ValidationError("Expected `str`, got `int` - at `$.id`")

    monkeypatch.setattr(_memory(sitting), "executions", unreadable)
    monkeypatch.setattr(_memory(sitting), "incidents", lambda limit: (incident, replace(incident, id="another")))

    result = sitting.run("verify-audit")

    assert 1 == result.code
    assert (
        f"journal  an execution of incident {execution.incident_id} cannot be read as it was written: "
        f"Expected `str`, got `int` - at `$.id`\n1 execution, {execution.audit_length} records: 1 finding\n"
    ) == result.out


def test_verify_audit_says_that_the_named_execution_cannot_be_read(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the journal says so in its own words; a journal that is away is no finding."""

    def unreadable(execution_id: str) -> Execution:
        raise Unreadable("the journal holds a record that this release cannot read") from msgspec.DecodeError()

    def away(execution_id: str) -> Execution:
        raise Unreadable("the journal is locked")

    monkeypatch.setattr(_memory(sitting), "load", unreadable)
    altered = sitting.run("verify-audit", execution.id)
    monkeypatch.setattr(_memory(sitting), "load", away)
    locked = sitting.run("verify-audit", execution.id)

    assert (1, 3) == (altered.code, locked.code)
    assert (
        f"{execution.id}  the execution cannot be read as it was written: "
        "the journal holds a record that this release cannot read\n1 execution, 0 records: 1 finding\n"
    ) == altered.out
    assert "runbook: the journal is locked\n" == locked.err


def test_verify_audit_finds_an_execution_in_the_place_of_another(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own chain is whole, and hides that nobody looks at the other one."""
    monkeypatch.setattr(_memory(sitting), "executions", lambda **limits: (execution, execution))
    monkeypatch.setattr(_memory(sitting), "load", lambda execution_id: execution)

    everything = sitting.run("verify-audit")
    one = sitting.run("verify-audit", "0123456789abcdef")

    says = f"execution {execution.id} stands in the place of"
    assert (1, 1) == (everything.code, one.code)
    assert f"journal  {says} another one\n" in everything.out
    assert f"0123456789abcdef  {says} 0123456789abcdef\n0 executions, 0 records: 1 finding\n" == one.out


def test_verify_audit_finds_records_whose_execution_was_removed(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hides a run must take its trail along; one that is named is not there."""
    memory = _memory(sitting)

    def gone(execution_id: str) -> Execution:
        raise UnknownExecution(f"no execution {execution_id} (`runbook executions` lists them)")

    monkeypatch.setattr(memory, "executions", lambda **limits: ())
    monkeypatch.setattr(memory, "load", gone)

    text = sitting.run("verify-audit")
    record = sitting.run("verify-audit", "--format", "json")

    says = "the execution was removed, and its audit records were left"
    assert (1, f"{execution.id}  {says}\n0 executions, 0 records: 1 finding\n") == (text.code, text.out)
    assert {
        "executions": 0,
        "records": 0,
        "findings": [{"execution": execution.id, "number": 0, "says": says}],
    } == record.record


def test_verify_audit_checks_what_began_while_it_read(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, and no finding; one that stands in its place is."""
    memory = _memory(sitting)
    monkeypatch.setattr(memory, "executions", lambda **limits: ())

    began = sitting.run("verify-audit")
    monkeypatch.setattr(memory, "load", lambda execution_id: replace(execution, id="0" * 16))
    other = sitting.run("verify-audit")

    total = f"1 execution, {execution.audit_length} records: every chain is whole\n"
    assert (0, total) == (began.code, began.out)
    says = f"{execution.id}  execution {'0' * 16} stands in the place of {execution.id}\n"
    assert (1, f"{says}0 executions, 0 records: 1 finding\n") == (other.code, other.out)


def test_verify_audit_reads_again_what_went_on_meanwhile(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is being driven is no finding."""
    sitting.rig.resolve()
    sitting.rig.run(30 * MINUTE, MINUTE)
    monkeypatch.setattr(_memory(sitting), "executions", lambda **limits: (execution,))

    result = sitting.run("verify-audit")

    assert sitting.rig.journal.load(execution.id).audit_length > execution.audit_length
    assert (0, "") == (result.code, result.err)


def test_verify_audit_of_nothing(tmp_path: Path) -> None:
    """A journal without executions has no finding."""
    result = Sitting(tmp_path).run("verify-audit", "--format", "json")

    assert (0, {"executions": 0, "records": 0, "findings": []}) == (result.code, result.record)


def test_heads_are_kept_and_compared(sitting: Sitting, execution: Execution, tmp_path: Path) -> None:
    """A chain that has grown is well; the file holds its new head then."""
    heads = tmp_path / "heads.json"
    first = sitting.run("verify-audit", "--heads", str(heads))
    kept = json.loads(heads.read_text())
    sitting.rig.resolve()
    sitting.rig.run(30 * MINUTE, MINUTE)

    second = sitting.run("verify-audit", "--heads", str(heads))

    assert (0, 0) == (first.code, second.code)
    assert {execution.id: {"records": execution.audit_length, "hash": execution.audit_head}} == kept
    grown = sitting.rig.execution()
    assert grown.audit_length > execution.audit_length
    assert {execution.id: {"records": grown.audit_length, "hash": grown.audit_head}} == json.loads(heads.read_text())
    assert second.out.endswith(f"every chain is whole\nthe heads are kept in {heads}\n")


@pytest.mark.parametrize(
    ("head", "number", "says"),
    [
        pytest.param(
            lambda run: {run.id: {"records": 2, "hash": "0" * 64}},
            2,
            "record 2 is not the one that the heads file kept: the chain was written anew",
            id="a chain that was written anew",
        ),
        pytest.param(
            lambda run: {run.id: {"records": run.audit_length + 4, "hash": "0" * 64}},
            None,
            "the heads file kept {more} records, and there are {now}",
            id="a chain that was cut, with its head",
        ),
        pytest.param(
            lambda run: {"gone": {"records": 3, "hash": "0" * 64}},
            0,
            "the heads file knows this execution, and the journal does not",
            id="an execution that is gone",
        ),
    ],
)
def test_heads_show_what_a_journal_alone_cannot(
    sitting: Sitting, execution: Execution, tmp_path: Path, head: object, number: int | None, says: str
) -> None:
    """And the file stays as it was."""
    assert callable(head)
    heads = tmp_path / "heads.json"
    heads.write_text(json.dumps(head(execution)))
    before = heads.read_bytes()

    result = sitting.run("verify-audit", "--heads", str(heads), "--format", "json")

    more, now = execution.audit_length + 4, execution.audit_length
    [finding] = result.record["findings"]
    assert (1, says.format(more=more, now=now)) == (result.code, finding["says"])
    assert (more if number is None else number) == finding["number"]
    assert before == heads.read_bytes()


def test_heads_of_something_else_are_refused(sitting: Sitting, tmp_path: Path) -> None:
    """A file that is no heads file is not written over."""
    heads = tmp_path / "alert.json"

    result = sitting.run("verify-audit", "--heads", str(heads))

    assert 2 == result.code
    assert "holds no heads" in result.err
    assert result.err.endswith("(name a file that verify-audit wrote, or a new one)\n")


def test_replay_of_what_is_as_it_was(sitting: Sitting, execution: Execution) -> None:
    """Named by the first characters of its id."""
    events = sum(len(read_trace(said).events) for said in sitting.rig.journal.trace(execution.id))

    text = sitting.run("replay", execution.id[:8])
    record = sitting.run("replay", execution.id, "--format", "json")

    assert (0, "") == (text.code, text.err)
    assert f"same decisions: {events} events, {execution.audit_length} records\n" == text.out
    assert {
        "execution": execution.id,
        "runbook": "checkout-high-error-rate",
        "digest": RUNBOOK.digest,
        "same": True,
        "events": events,
        "records": execution.audit_length,
        "difference": None,
    } == record.record


def test_replay_shows_the_first_difference(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded beside what comes out now, by which version of the runbook; exit 1."""
    records = list(sitting.rig.journal.audit(execution.id))
    forged = replace(records[3], says="nothing was touched").sealed()
    monkeypatch.setattr(_memory(sitting), "audit", lambda execution_id, after=0: (*records[:3], forged))

    result = sitting.run("replay", execution.id)

    assert 1 == result.code
    assert (
        f"event 4 comes out otherwise (runbook checkout-high-error-rate, version {RUNBOOK.digest[:12]})\n"
        "  recorded  record 4: nothing was touched\n"
        "  now       record 4: shed-optional-features: written\n"
    ) == result.out


@pytest.mark.parametrize("as_json", [False, True], ids=["for people", "for scripts"])
def test_replay_refuses_a_runbook_that_was_altered_in_the_journal(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """Decisions by another runbook prove nothing, although it still says that it has the digest of the run."""
    altered = replace(RUNBOOK, steps=(SCALE,))
    monkeypatch.setattr(_memory(sitting), "runbook", lambda digest: altered)

    result = sitting.run("replay", execution.id, *(["--format", "json"] if as_json else []))

    says = (
        f"execution {execution.id} cannot be replayed: the journal keeps a runbook checkout-high-error-rate under "
        f"digest {RUNBOOK.digest[:12]}, and it has another digest (it was altered: restore the journal from a backup)"
    )
    assert (1, "") == (result.code, result.out)
    assert f"runbook: {says}\n" == result.err


def test_replay_reads_again_what_went_on_meanwhile(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is being driven is no difference."""
    sitting.rig.resolve()
    sitting.rig.run(30 * MINUTE, MINUTE)
    newest = sitting.rig.execution()
    reads = iter((execution,))
    monkeypatch.setattr(_memory(sitting), "load", lambda execution_id: next(reads, newest))

    result = sitting.run("replay", execution.id)

    assert (0, "") == (result.code, result.err)
    assert f"{newest.audit_length} records" in result.out


def test_replay_says_that_records_cannot_be_read(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And who says which."""

    def unreadable(execution_id: str, after: int = 0) -> tuple[AuditRecord, ...]:
        raise msgspec.ValidationError("its bytes are not those that it is written as")

    monkeypatch.setattr(_memory(sitting), "audit", unreadable)

    result = sitting.run("replay", execution.id)

    assert 1 == result.code
    assert (
        f"runbook: execution {execution.id} cannot be replayed: its records cannot be read as they were written "
        f"(runbook verify-audit {execution.id} says which)\n"
    ) == result.err


def test_replay_of_an_older_release_is_a_no(
    sitting: Sitting, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a trail, and nothing to replay."""
    monkeypatch.setattr(_memory(sitting), "trace", lambda execution_id: ())

    result = sitting.run("replay", execution.id)

    assert 1 == result.code
    assert (
        f"runbook: execution {execution.id} cannot be replayed: "
        "what happened is not recorded from its start on (an older release opened it, or that was removed)\n"
    ) == result.err
