"""backtest and diff: what is typed, what is answered, and what is refused in which words."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.program import main
from tests.lab import CONFIG, RUNBOOK
from tests.unit.backtest.histories import write
from tests.unit.cli.desks import Result, Stream

pytestmark = pytest.mark.slow

FIRES = {"at": "2026-03-01T12:00:00Z", "status": "firing", "labels": {"alertname": "Hot", "part": "a"}}
RESOLVES = {**FIRES, "at": "2026-03-01T12:10:00Z", "status": "resolved"}
OTHER = {"at": "2026-03-01T12:20:00Z", "status": "firing", "labels": {"alertname": "Cold"}}
HISTORY = "history.jsonl"
WHO = ("-c", "user.name=ana", "-c", "user.email=ana@shop.example", "-c", "commit.gpgsign=false")


def run(*argv: str) -> Result:
    """Run a command where we stand."""
    out, err = Stream(), Stream()
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "GIT_DIR") if name in os.environ}
    desk = Desk(stdin=Stream(), stdout=out, stderr=err, environment={**environment, "RUNBOOK_DEBUG": "1"})
    return Result(main(argv, desk), out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installation and a history, which we stand in; and nobody opens a socket."""

    def refuse(*asked: object, **options: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    (tmp_path / "runbooks").mkdir()
    _install(tmp_path / "runbooks", "auto")
    write(tmp_path, FIRES, RESOLVES, OTHER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "socket", refuse)
    return tmp_path


@pytest.fixture
def commit(folder: Path) -> Callable[[str], str]:
    """Commits everything in the folder, which is a git repository from here on."""
    _git(folder, "init", "--quiet", "--initial-branch=main")

    def make(message: str) -> str:
        _git(folder, "add", "--all")
        _git(folder, *WHO, "commit", "--quiet", "--message", message)
        return _git(folder, "rev-parse", "HEAD").strip()

    return make


def test_a_backtest_tells_what_would_have_been_done(folder: Path) -> None:
    """The whole screen."""
    result = run("backtest", "--history", HISTORY)

    assert (0, "") == (result.code, result.err)
    assert (
        "20m from 2026-03-01 12:00 to 2026-03-01 12:20 UTC\n"
        "2 episodes of 2 alerts (1 still firing at the end): 1 match a runbook, 1 match none\n"
        "would act 1, be blocked 0\n"
        "\n"
        "shed  auto  1 episode\n"
        "  would act 1, be blocked 0\n"
        "  first 2026-03-01 12:00, last 2026-03-01 12:00, busiest hour 2026-03-01 12:00 with 1 episode\n"
        "  unknown then: pause 1\n"
        "\n"
        "no runbook matches\n"
        "  Cold  1 episode  firing for 0s\n"
        "\n"
        "nobody knows now\n"
        "  pause  1 run  whether the engine was paused\n"
        "assumed\n"
        "  a run that would act finds something to change, can change it, and holds it until its alerts resolve or its "
        "deadline has passed\n"
        "  of an escalation the first step acts, of a sequence every step\n"
        "  nobody answers a question\n"
        "  what a runbook asks of the past that nobody wrote down is counted as unknown, and holds nothing up\n"
    ) == result.out


def test_a_backtest_for_scripts_has_stable_keys(folder: Path) -> None:
    """One object."""
    record = run("backtest", "--history", HISTORY, "--format", "json").record

    assumptions = record.pop("assumptions")
    assert 4 == len(assumptions)
    assert {
        "window": {"since": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:20:00Z", "step_seconds": None},
        "episodes": 2,
        "alert_names": 2,
        "began_before": 0,
        "still_firing": 1,
        "matched": 1,
        "rejected": 0,
        "would_act": 1,
        "would_tell": 0,
        "would_propose": 0,
        "would_ask": 0,
        "would_observe": 0,
        "blocked": 0,
        "unmatched": 1,
        "heartbeats": 0,
        "unmatched_top": [{"name": "Cold", "episodes": 1, "firing_seconds": 0}],
        "runbooks": [
            {
                "runbook": "shed",
                "mode": "auto",
                "matched": 1,
                "joined": 0,
                "came_back": 0,
                "would_act": 1,
                "would_tell": 0,
                "would_propose": 0,
                "would_ask": 0,
                "would_observe": 0,
                "resolved_first": 0,
                "undecided": 0,
                "blocked": 0,
                "blocked_by": [],
                "blocked_later": [],
                "flapping": 0,
                "first": "2026-03-01T12:00:00Z",
                "last": "2026-03-01T12:00:00Z",
                "busiest_hour": "2026-03-01T12:00:00Z",
                "busiest_hour_episodes": 1,
                "unknown": [{"what": "pause", "runs": 1}],
            }
        ],
        "unknown": [{"what": "pause", "says": "whether the engine was paused", "runs": 1}],
    } == record


def test_nothing_is_left_behind(folder: Path) -> None:
    """No journal, no state folder: looking makes nothing."""
    before = sorted(folder.rglob("*"))

    run("backtest", "--history", HISTORY)
    run("diff", "runbooks", ".", "--history", HISTORY)

    assert before == sorted(folder.rglob("*"))


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        pytest.param(
            ["backtest"],
            "one of the arguments --prometheus --history is required (see runbook backtest --help)",
            id="no source",
        ),
        pytest.param(
            ["backtest", "--history", HISTORY, "--since", "3d"],
            "--since goes with --prometheus: a history has its own times and labels (leave it out)",
            id="a span of a file",
        ),
        pytest.param(
            ["backtest", "--history", HISTORY, "--token-env", "T"],
            "--token-env goes with --prometheus: a history has its own times and labels (leave it out)",
            id="a token for a file",
        ),
        pytest.param(
            ["backtest", "--prometheus", "localhost:9090", "--until", "noon"],
            "argument --until: 'noon' is no time (write it as 2026-01-05T09:00:00Z) (see runbook backtest --help)",
            id="no time",
        ),
        pytest.param(
            ["backtest", "--prometheus", "localhost:9090", "--until", "2026-01-05T09:00:00"],
            "argument --until: '2026-01-05T09:00:00' has no time zone (write it as 2026-01-05T09:00:00Z) "
            "(see runbook backtest --help)",
            id="a time without a zone",
        ),
        pytest.param(
            ["backtest", "--prometheus", "localhost:9090", "--until", "9999-12-31T23:59:59-12:00"],
            "argument --until: '9999-12-31T23:59:59-12:00' is not between the years 1970 and 2999 "
            "(write it as 2026-01-05T09:00:00Z) (see runbook backtest --help)",
            id="a time beyond the calendar",
        ),
        pytest.param(
            ["backtest", "--prometheus", "ftp://host"],
            "--prometheus: adapter prometheus: the address is neither http nor https "
            "(set url to an address such as https://host.example:9090/path)",
            id="no address",
        ),
        pytest.param(
            ["backtest", "--history", "none.jsonl"],
            "the history none.jsonl cannot be read: No such file or directory (name a file)",
            id="no file",
        ),
        pytest.param(
            ["backtest", "--history", HISTORY, "--scope", "shop"],
            "unknown scope 'shop': engine.yaml names lab, other",
            id="an unknown scope",
        ),
        pytest.param(
            ["diff", ".", "--history", HISTORY],
            "the following arguments are required: REV2 (see runbook diff --help)",
            id="one side only",
        ),
    ],
)
def test_what_cannot_be_used_is_said(argv: list[str], says: str, folder: Path) -> None:
    """One sentence with the remedy, and exit code 2."""
    result = run(*argv)

    assert (2, "", f"runbook: {says}\n") == (result.code, result.out, result.err)


def test_a_backtest_of_no_runbook_is_refused(folder: Path) -> None:
    """There is nothing to look back with."""
    (folder / "runbooks" / "shed.yaml").unlink()

    result = run("backtest", "--history", HISTORY)

    assert (2, "runbook: no runbook under runbooks (name their folder with --runbooks)\n") == (result.code, result.err)


def test_a_token_comes_from_the_environment_alone(folder: Path) -> None:
    """A variable that is not set is named before anybody is asked."""
    result = run("backtest", "--prometheus", "http://127.0.0.1:1", "--token-env", "PROMETHEUS_TOKEN")

    said = "the secret {env: PROMETHEUS_TOKEN} is not set (export PROMETHEUS_TOKEN before starting)"
    assert (3, f"runbook: {said}\n") == (result.code, result.err)


def test_a_diff_of_two_commits_tells_what_changes(folder: Path, commit: Callable[[str], str]) -> None:
    """The whole screen; the working tree is not touched, and nobody is asked over the network."""
    _install(folder / "runbooks", "propose")
    old = commit("begin")
    _install(folder / "runbooks", "auto", {'value: "true"': 'value: "half"', "cooldown: 1s": "cooldown: 5m"})
    commit("let it act")
    (folder / "runbooks" / "shed.yaml").write_text("half written")

    result = run("diff", old, "main", "--history", HISTORY)

    assert (0, "") == (result.code, result.err)
    assert (
        f"{old} -> main  2 firing alerts, 2 of them different\n"
        "\n"
        "shed  ~1 changed\n"
        '  ~ guardrails.cooldown  1s -> 5m          1 alert, as Hot{part="a"}\n'
        '  ~ mode                 propose -> auto   1 alert, as Hot{part="a"}\n'
        '  ~ step shed.value      "true" -> "half"  1 alert, as Hot{part="a"}\n'
        "1 runbook with a difference, 0 runbooks unchanged\n"
    ) == result.out


def test_a_diff_for_scripts_has_stable_keys(folder: Path, commit: Callable[[str], str]) -> None:
    """One object; a revision may be anything that git knows."""
    commit("begin")
    _install(folder / "runbooks", "auto", {"alertname = Hot": "alertname =~ Hot|Cold", "name: shed,": "name: cool,"})
    commit("another")

    record = run("diff", "HEAD~1", "HEAD", "--history", HISTORY, "--format", "json").record

    nothing = {"changed": 0, "same": 0, "changes": [], "more_changes": 0}
    assert {
        "before": "HEAD~1",
        "after": "HEAD",
        "alerts": 2,
        "distinct": 2,
        "rejected": 0,
        "differs": True,
        "added": ["cool"],
        "removed": ["shed"],
        "runbooks": [
            {
                "runbook": "cool",
                "gained": 2,
                "lost": 0,
                **nothing,
                "gained_examples": ['Hot{part="a"}', "Cold{}"],
                "lost_examples": [],
            },
            {
                "runbook": "shed",
                "gained": 0,
                "lost": 1,
                **nothing,
                "gained_examples": [],
                "lost_examples": ['Hot{part="a"}'],
            },
        ],
        "without_effect": [],
        "unchanged": 0,
    } == record


@pytest.mark.parametrize(
    ("mode", "flags", "code"),
    [
        pytest.param("auto", ["--exit-code"], 0, id="no difference"),
        pytest.param("propose", [], 0, id="a difference, and nobody asked"),
        pytest.param("propose", ["--exit-code"], 1, id="a difference"),
    ],
)
def test_the_exit_code_says_whether_there_is_a_difference_when_asked(
    mode: str, flags: list[str], code: int, folder: Path, commit: Callable[[str], str]
) -> None:
    """As git does, between a commit and the working tree."""
    commit("begin")
    _install(folder / "runbooks", mode)

    assert code == run("diff", "HEAD", ".", "--history", HISTORY, *flags).code


def test_a_diff_of_two_folders_needs_no_repository(folder: Path) -> None:
    """Each folder with its own installation, or one for both."""
    (folder / "old").mkdir()
    _install(folder / "old", "auto")
    (folder / "old" / "engine.yaml").write_text(CONFIG.replace("modeCeiling: auto", "modeCeiling: propose"))

    own = run("diff", "old", "./runbooks", "--history", HISTORY, "--format", "json").record
    (folder / "old" / "engine.yaml").rename(folder / "engine.yaml")
    (folder / "runbooks" / "engine.yaml").unlink()
    one = run("diff", "old", ".", "--history", HISTORY, "--config", "engine.yaml", "--format", "json").record

    assert ["mode"] == [change["what"] for each in own["runbooks"] for change in each["changes"]]
    assert not one["differs"]


def test_runbooks_that_were_not_there_yet_are_gained(folder: Path, commit: Callable[[str], str]) -> None:
    """A folder that a commit does not have is empty, when the other side has one."""
    (folder / "runbooks").rename(folder / "elsewhere")
    commit("nothing yet")
    (folder / "elsewhere").rename(folder / "runbooks")

    record = run("diff", "HEAD", ".", "--history", HISTORY, "--format", "json").record

    assert (["shed"], 1) == (record["added"], record["runbooks"][0]["gained"])


def test_a_repository_may_hold_nothing_but_runbooks(
    folder: Path, commit: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lie at its top, and whoever asks stands somewhere else, in a hook of another repository."""
    commit("begin")
    top = folder / "runbooks"
    _git(top, "init", "--quiet", "--initial-branch=main")
    _git(top, "add", "--all")
    _git(top, *WHO, "commit", "--quiet", "--message", "alone")
    _install(top, "propose")
    monkeypatch.setenv("GIT_DIR", str(folder / ".git"))

    record = run("diff", "main", ".", "--history", HISTORY, "--runbooks", str(top), "--format", "json").record

    assert [("shed", 1)] == [(each["runbook"], each["changed"]) for each in record["runbooks"]]


def test_a_broken_runbook_of_a_commit_is_shown_with_the_commit(folder: Path, commit: Callable[[str], str]) -> None:
    """The file is named as git names it."""
    (folder / "runbooks" / "broken.yaml").write_text("apiVersion: runbook-engine/v1\nkind: Runbok\n")
    commit("broken")

    result = run("diff", "HEAD", ".", "--history", HISTORY)

    assert 2 == result.code
    assert 'HEAD:runbooks/broken.yaml:2:7: error: unknown kind "Runbok"\n' in result.err


@pytest.mark.parametrize(
    ("revision", "says"),
    [
        pytest.param(
            "nowhere",
            "'nowhere' is neither a commit of the repository of runbooks nor a folder (name a commit, a branch, a tag, "
            "a folder, or . for the working tree)",
            id="nothing of that name",
        ),
        pytest.param(
            "./nowhere",
            "'./nowhere' is neither a commit of the repository of runbooks nor a folder (name a commit, a branch, a "
            "tag, a folder, or . for the working tree)",
            id="no folder",
        ),
        pytest.param(
            "HEAD\x07",
            r"'HEAD\x07' is no name of a commit (name a commit, a branch or a tag)",
            id="a control character",
        ),
    ],
)
def test_a_revision_that_is_none_is_refused(
    revision: str, says: str, folder: Path, commit: Callable[[str], str]
) -> None:
    """One sentence with the remedy."""
    commit("begin")

    result = run("diff", revision, ".", "--history", HISTORY)

    assert (2, f"runbook: {says}\n") == (result.code, result.err)


def test_a_revision_is_never_an_option_of_git(folder: Path, commit: Callable[[str], str]) -> None:
    """What begins with a dash is not handed on, even when the shell's own end of options lets it through."""
    commit("begin")

    result = run("diff", "--history", HISTORY, "--", "--output=stolen", ".")

    said = "'--output=stolen' is no name of a commit (name a commit, a branch or a tag)"
    assert (2, f"runbook: {said}\n") == (result.code, result.err)
    assert not (folder / "stolen").exists()


def test_outside_of_a_repository_only_folders_are_known(folder: Path) -> None:
    """Git's own word for it, and the remedy."""
    result = run("diff", "HEAD", ".", "--history", HISTORY)

    assert 2 == result.code
    assert result.err.startswith("runbook: git rev-parse cannot answer: not a git repository")
    assert result.err.endswith(" (name folders instead, or fetch what is missing)\n")


def test_without_git_only_folders_are_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And somebody who has none, or may not start it, is told so."""
    (folder / "git").write_text("")
    monkeypatch.setenv("PATH", str(folder))

    result = run("diff", "HEAD", ".", "--history", HISTORY)

    said = "git cannot be started, and commits are read with it (install git, or name folders instead)"
    assert (2, f"runbook: {said}\n") == (result.code, result.err)


def test_links_and_hidden_files_of_a_commit_are_left_out(folder: Path, commit: Callable[[str], str]) -> None:
    """A link in a commit leads nowhere, least of all out of it."""
    (folder / "outside.yaml").write_text("apiVersion: runbook-engine/v1\nkind: Runbok\n")
    (folder / "runbooks" / "link.yaml").symlink_to(folder / "outside.yaml")
    (folder / "runbooks" / ".hidden").mkdir()
    (folder / "runbooks" / ".hidden" / "broken.yaml").write_text("kind: Runbok\n")
    commit("a link")
    (folder / "runbooks" / "link.yaml").unlink()

    assert 0 == run("diff", "HEAD", ".", "--history", HISTORY, "--exit-code").code


PART = """
apiVersion: runbook-engine/v1
kind: RunbookPart
metadata: {name: quick, summary: What acts seldom.}
guardrails: {cooldown: COOLDOWN}
"""


def test_a_part_beside_the_folder_of_a_commit_is_read_as_in_the_working_tree(
    folder: Path, commit: Callable[[str], str]
) -> None:
    """A folder below the installation uses what lies beside it; what changes in there is a difference."""
    runbooks, teams = folder / "runbooks", folder / "runbooks" / ".teams" / "checkout"
    teams.mkdir(parents=True)
    (runbooks / "lib").mkdir()
    text = (runbooks / "shed.yaml").read_text().replace("cooldown: 1s, ", "")
    (teams / "shed.yaml").write_text(text.replace("kind: Runbook\n", "kind: Runbook\nuses: ../../lib/quick.yaml\n"))
    (runbooks / "shed.yaml").unlink()
    (runbooks / "lib" / "quick.yaml").write_text(PART.replace("COOLDOWN", "5m"))
    (runbooks / "lib" / "broken.yaml").write_text("nobody uses it: [")
    commit("with a part")
    (runbooks / "lib" / "quick.yaml").write_text(PART.replace("COOLDOWN", "9m"))
    commit("slower")

    places = ("--runbooks", str(teams), "--config", str(runbooks / "engine.yaml"))
    result = run("diff", "HEAD~1", "HEAD", "--history", HISTORY, *places)

    assert (0, "") == (result.code, result.err)
    assert '  ~ guardrails.cooldown  5m -> 9m  1 alert, as Hot{part="a"}\n' in result.out
    assert 0 == run("diff", "HEAD", ".", "--history", HISTORY, "--exit-code", *places).code


def _install(folder: Path, mode: str, changes: dict[str, str] | None = None) -> None:
    text = RUNBOOK.replace("MODE", mode)
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "engine.yaml").write_text(CONFIG)
    (folder / "shed.yaml").write_text(text)


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout
