"""Error sentences, pinned whole as users read them: what, where, why, and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.program import main
from runbook_engine.errors import Unreadable
from tests.unit.cli.desks import Sitting, Stream


@pytest.fixture
def sitting(tmp_path: Path) -> Sitting:
    """Somebody at a desk."""
    return Sitting(tmp_path)


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        pytest.param(("plna",), 2, "unknown command 'plna': did you mean plan?", id="a misspelt command"),
        pytest.param(
            ("plan",),
            2,
            "the following arguments are required: --alert (see runbook plan --help)",
            id="a missing argument",
        ),
        pytest.param(
            ("plan", "--alert", "nowhere.json"),
            2,
            "the alert file nowhere.json cannot be read: No such file or directory (- reads standard input)",
            id="no such alert file",
        ),
        pytest.param(
            ("plan", "--alert", "ALERT", "--scope", "prod"),
            2,
            "unknown scope 'prod': engine.yaml names local",
            id="an unknown scope",
        ),
        pytest.param(
            ("plan", "--alert", "ALERT", "--config", "nowhere.yaml"),
            2,
            "there is no configuration nowhere.yaml (correct --config or RUNBOOK_CONFIG)",
            id="a configuration that is not there",
        ),
        pytest.param(
            ("plan", "--alert", "ALERT", "--format", "xml"),
            2,
            "argument --format: invalid choice: 'xml' (choose from 'text', 'json') (see runbook plan --help)",
            id="an unknown format",
        ),
        pytest.param(
            ("run",),
            2,
            "by hand a run needs NAME and --reason TEXT; for an alert, --alert FILE",
            id="a run of nothing",
        ),
        pytest.param(
            ("run", "checkout-high-error-rate"),
            2,
            "by hand a run needs NAME and --reason TEXT; for an alert, --alert FILE",
            id="by hand without a reason",
        ),
        pytest.param(
            ("run", "nope", "--reason", "x"),
            2,
            "unknown runbook 'nope'; known are checkout-high-error-rate",
            id="an unknown runbook",
        ),
        pytest.param(
            ("run", "checkout-high-error-rate", "--reason", "x", "--target", "checkout"),
            2,
            "argument --target: 'checkout' is not a target (write deployment=apps/checkout, node=ip-10-0-0-1 or "
            "parameter=/checkout/degraded_mode) (see runbook run --help)",
            id="a target without its kind",
        ),
        pytest.param(
            ("run", "--alert", "ALERT", "--yes"),
            2,
            "unrecognized arguments: --yes (see runbook run --help)",
            id="there is no way to say yes unseen",
        ),
        pytest.param(
            ("run", "--alert", "ALERT", "--plan", "deadbeef"),
            1,
            "the plan of checkout-high-error-rate is e82c593c now, not deadbeef: look at it again",
            id="a plan that is not this one",
        ),
        pytest.param(
            ("run", "--alert", "ALERT"),
            2,
            "nobody is here to say yes: read the plan, then add --plan e82c593c",
            id="a script without a plan",
        ),
        pytest.param(
            ("incidents", "zzzzzz"),
            2,
            "there is no incident zzzzzz: runbook incidents lists them",
            id="an unknown incident",
        ),
        pytest.param(
            ("executions", "zzzzzz"),
            2,
            "there is no execution zzzzzz: runbook executions lists them",
            id="an unknown execution",
        ),
        pytest.param(
            ("approve", "ab", "--plan", "1234"),
            2,
            "'ab' is too short to name one: type at least 4 characters of the id",
            id="an id that is too short",
        ),
        pytest.param(
            ("cancel", "abcdef"),
            2,
            "one of the arguments --keep --undo is required (see runbook cancel --help)",
            id="cancel without saying what becomes of the changes",
        ),
        pytest.param(
            ("pause", "--for", "soon"),
            2,
            "argument --for: 'soon' is not a duration (write it as 30m, 2h or 1h30m) (see runbook pause --help)",
            id="a pause without an end",
        ),
        pytest.param(
            ("pause", "--for", "0m"),
            2,
            "argument --for: '0m' is no time at all (write it as 30m, 2h or 1h30m) (see runbook pause --help)",
            id="a pause of nothing",
        ),
        pytest.param(
            ("pause", "--for", "7d1s"),
            2,
            "argument --for: '7d1s' is longer than a pause may be (at most 7d) (see runbook pause --help)",
            id="a pause that is forgotten",
        ),
        pytest.param(
            ("incidents", "--limit", "0"),
            2,
            "argument --limit: '0' is not a whole number above 0 (see runbook incidents --help)",
            id="a list of nothing",
        ),
        pytest.param(
            ("serve", "--port", "99999"),
            2,
            "argument --port: '99999' is not a port (0 to 65535; 0 takes any that is free) (see runbook serve --help)",
            id="a port that is none",
        ),
        pytest.param(
            ("test", "tests/data/good/high-error-rate.yaml"),
            2,
            "no RunbookTest in tests/data/good/high-error-rate.yaml: write one beside its runbook, *.test.yaml",
            id="no test to run",
        ),
    ],
)
def test_what_a_person_reads(sitting: Sitting, argv: tuple[str, ...], code: int, said: str) -> None:
    """One sentence on standard error, nothing like an answer on standard output."""
    result = sitting.run(*(str(sitting.alert_file) if part == "ALERT" else part for part in argv))

    of_any_python = result.err.replace("choose from text, json", "choose from 'text', 'json'")
    assert f"runbook: {said}\n" == of_any_python
    assert code == result.code


def test_a_hostile_label_cannot_steer_the_terminal(sitting: Sitting) -> None:
    """What a sender wrote is shown escaped, in answers and in complaints."""
    body = '{"labels": {"alertname": "A\\u001b[2J\\u202e"}, "status": "firing"}'

    shown = sitting.run("alerts", "--alert", "-", typed=body)
    complained = sitting.run("run", "A\x1b[2J", "--reason", "x")

    assert "\x1b" not in shown.out + complained.err
    assert "A\\x1b[2J\\u202e" in shown.out
    assert "A\\x1b[2J" in complained.err


def test_nobody_acts_without_a_name(sitting: Sitting) -> None:
    """What a person does is recorded with a name."""
    sitting.operator = ""
    sitting.rig.fire()

    result = sitting.run("deny", sitting.rig.execution().id[:8])

    assert 2 == result.code
    assert "runbook: nobody is named as the one who acts: set RUNBOOK_OPERATOR to your name\n" == result.err


def _desk(error: BaseException, **environment: str) -> tuple[Desk, Stream, Stream]:
    def fail(settings: object, clock: object) -> object:
        raise error

    out, err = Stream(), Stream()
    desk = Desk(stdin=Stream(), stdout=out, stderr=err, environment=environment, opens_records=fail)  # type: ignore[arg-type]
    return desk, out, err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(
            Unreadable("journal j.sqlite3 is damaged (restore it from a backup)"),
            3,
            "runbook: journal j.sqlite3 is damaged (restore it from a backup)\n",
            id="a journal that is down",
        ),
        pytest.param(KeyboardInterrupt(), 130, "", id="an interrupt"),
        pytest.param(
            ZeroDivisionError("division by zero"),
            3,
            "runbook: ZeroDivisionError: division by zero (this is a bug; set RUNBOOK_DEBUG=1 to see where)\n",
            id="a bug",
        ),
    ],
)
def test_nobody_reads_a_traceback(error: BaseException, code: int, said: str) -> None:
    """Whatever goes wrong is one sentence and an exit code."""
    desk, out, err = _desk(error)

    assert (code, "", said) == (main(["incidents"], desk), out.getvalue(), err.getvalue())


def test_a_bug_shows_its_traceback_to_who_asks() -> None:
    """RUNBOOK_DEBUG is for those who mend it."""
    desk, _, _ = _desk(ZeroDivisionError(), RUNBOOK_DEBUG="1")

    with pytest.raises(ZeroDivisionError):
        main(["incidents"], desk)
