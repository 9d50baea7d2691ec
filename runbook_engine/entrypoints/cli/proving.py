"""What proves something of the past: verify-audit and replay. Both read the journal, and neither touches anything."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import MsgspecError

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import NO, OK, NothingYet, Refused, UsageError
from runbook_engine.entrypoints.cli.identity import find_execution
from runbook_engine.entrypoints.cli.output import answer, say
from runbook_engine.entrypoints.cli.places import refuse_special
from runbook_engine.errors import UnknownExecution, Unreadable
from runbook_engine.loading.compile import digest_of
from runbook_engine.model.execution import Execution
from runbook_engine.ports import Journal
from runbook_engine.proof.heads import Head, Heads, compare_head, head_of, missing, read_heads, write_heads
from runbook_engine.proof.replay import replay_stored
from runbook_engine.proof.trail import Checked, Finding, check_left, check_trail
from runbook_engine.render.proof import record_replay, record_verification, render_replay, render_verification

ALL = 10**9
PAGE = 1000


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of one of the commands."""
    if name == "replay":
        parser.add_argument("id", metavar="ID", help="the execution; the first characters are enough")
    else:
        parser.add_argument("ids", metavar="ID", nargs="*", help="executions (default: every one there is)")
        kept = "compare with the heads of all chains in FILE, and if all is well keep the present ones there"
        parser.add_argument("--heads", metavar="FILE", help=kept)
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run one of the commands."""
    return RUNS[name](arguments, desk)


def _replay(arguments: Namespace, desk: Desk) -> int:
    journal = desk.records(arguments).engine.journal
    execution = find_execution(journal, arguments.id)
    _refuse_altered_runbook(execution, journal)
    try:
        replayed = replay_stored(execution, journal)
    except ValueError as error:
        said = f"execution {execution.id} cannot be replayed: its records cannot be read as they were written"
        raise Refused(f"{said} (runbook verify-audit {execution.id} says which)") from error
    if arguments.format == "json":
        answer(desk, record_replay(replayed))
    else:
        say(desk, render_replay(replayed))
    return OK if replayed.difference is None else NO


def _refuse_altered_runbook(execution: Execution, journal: Journal) -> None:
    """Refuse to decide by a runbook that is not the one which the execution ran: it would prove nothing."""
    digest = execution.runbook_digest
    runbook = journal.runbook(digest)
    if digest_of(runbook) != digest:
        said = f"the journal keeps a runbook {runbook.name} under digest {digest[:12]}, and it has another digest"
        remedy = "it was altered: restore the journal from a backup"
        raise Refused(f"execution {execution.id} cannot be replayed: {said} ({remedy})")


def _verify(arguments: Namespace, desk: Desk) -> int:
    file = Path(arguments.heads) if arguments.heads else None
    kept = _kept_heads(file) if file is not None else {}
    findings: list[Finding] = []
    heads: dict[str, Head] = {}
    executions = records = 0
    for checked in _checked(arguments, desk):
        executions, records = executions + bool(checked.execution), records + checked.records
        findings += checked.findings
        if checked.execution in kept:
            findings += compare_head(kept[checked.execution], checked)
        heads[checked.execution] = head_of(checked)
    if not arguments.ids:
        findings += missing(kept, heads)
    if file is not None and not findings:
        _keep(file, {**kept, **heads})
    if arguments.format == "json":
        answer(desk, record_verification(executions, records, findings))
    else:
        say(desk, render_verification(executions, records, findings, arguments.heads if not findings else ""))
    return NO if findings else OK


def _checked(arguments: Namespace, desk: Desk) -> Iterator[Checked]:
    """Yield every trail that was asked for, checked one after the other."""
    try:
        journal = desk.records(arguments).engine.journal
    except NothingYet:
        if arguments.ids:
            raise
        return
    seen: set[str] = set()
    yield from _listed(arguments, journal, seen)
    if not arguments.ids:
        yield from _left(journal, seen)


def _listed(arguments: Namespace, journal: Journal, seen: set[str]) -> Iterator[Checked]:
    """Yield the trail of every execution that was asked for, and note which they were."""
    for given, execution in _named(journal, arguments.ids) if arguments.ids else _every(journal):
        if isinstance(execution, Finding):
            yield Checked(execution=execution.execution, records=0, findings=(execution,))
        elif execution.id in seen or not execution.id.startswith(given):
            yield _misplaced(execution, given)
        else:
            seen.add(execution.id)
            yield check_trail(execution, journal)


def _left(journal: Journal, seen: set[str]) -> Iterator[Checked]:
    """Yield every trail that no list of executions led to: of what was removed, cannot be read, or began meanwhile."""
    after = ""
    while ids := journal.audited(PAGE, after):
        after = ids[-1]
        yield from (_loaded(execution_id, journal) for execution_id in ids if execution_id not in seen)


def _loaded(execution_id: str, journal: Journal) -> Checked:
    """Return the trail of what has records, checked if its execution is still there."""
    try:
        execution = journal.load(execution_id)
    except UnknownExecution:
        return check_left(execution_id)
    except (ValueError, Unreadable) as error:
        finding = _unreadable(error, execution_id, "the execution")
        return Checked(execution=execution_id, records=0, findings=(finding,))
    return check_trail(execution, journal) if execution.id == execution_id else _misplaced(execution, execution_id)


def _misplaced(execution: Execution, given: str) -> Checked:
    """Return the finding that what was found under a name is not what was asked for."""
    says = f"execution {execution.id} stands in the place of {given or 'another one'}"
    return Checked(execution="", records=0, findings=(Finding(execution=given, number=0, says=says),))


def _named(journal: Journal, ids: Sequence[str]) -> Iterator[tuple[str, Execution | Finding]]:
    """Yield the executions that were asked for, under the names that were given for them."""
    for given in dict.fromkeys(ids):
        try:
            yield given, find_execution(journal, given)
        except (ValueError, Unreadable) as error:
            yield given, _unreadable(error, given, "the execution")


def _every(journal: Journal) -> Iterator[tuple[str, Execution | Finding]]:
    """Yield every execution; when one of them cannot be read, those of one incident after the other."""
    try:
        yield from (("", execution) for execution in journal.executions(limit=ALL))
        return
    except (ValueError, Unreadable) as error:
        broken = [_unreadable(error, "", "an execution without an incident")]
    found: list[Finding] = []
    for incident in journal.incidents(limit=ALL):
        try:
            yield from (("", execution) for execution in journal.executions(limit=ALL, incident_id=incident.id))
        except (ValueError, Unreadable) as error:
            found.append(_unreadable(error, "", f"an execution of incident {incident.id}"))
    yield from (("", finding) for finding in found or broken)


def _unreadable(error: ValueError | Unreadable, given: str, what: str) -> Finding:
    """Return the finding that an execution, which keeps the head of its chain, is not as it was written."""
    if not isinstance(error, ValueError) and not isinstance(error.__cause__, MsgspecError):
        raise error  # the journal is away, or damaged as a whole
    return Finding(execution=given, number=0, says=f"{what} cannot be read as it was written: {error}")


def _kept_heads(file: Path) -> Heads:
    refuse_special(str(file))
    try:
        return read_heads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"the heads cannot be read from {file}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(
            f"{file} holds no heads: {error} (name a file that verify-audit wrote, or a new one)"
        ) from error


def _keep(file: Path, heads: Heads) -> None:
    """Write the heads whole or not at all."""
    unfinished = file.with_name(f".{file.name}.new")
    try:
        unfinished.write_bytes(write_heads(heads))
        unfinished.replace(file)
    except OSError as error:
        raise UsageError(f"the heads cannot be written to {file}: {error.strerror}") from error


RUNS: Mapping[str, Callable[[Namespace, Desk], int]] = {"verify-audit": _verify, "replay": _replay}
