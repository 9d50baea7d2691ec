"""lint, test, schema, bundle: what authors type."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path

import pytest

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.program import main
from runbook_engine.loading.bundle import load_bundle
from tests.unit.cli.desks import Result, Stream

GOOD = Path("tests/data/good/high-error-rate.yaml")
TEST = """
apiVersion: runbook-engine/v1
kind: RunbookTest
runbooks: [high-error-rate.yaml]
interval: 15s
tests:
  - name: a warning is not our business
    alerts: [{at: 0s, fires: {alertname: CheckoutHighErrorRate, severity: warning}}]
    expect: [{at: 1m, matched: []}]
"""
FAILING = """
  - name: it never happens
    alerts: [{at: 0s, fires: {alertname: CheckoutHighErrorRate, severity: warning}}]
    expect: [{at: 1m, matched: [checkout-high-error-rate]}]
"""


def _run(*argv: str) -> Result:
    out, err = Stream(), Stream()
    desk = Desk(stdin=Stream(), stdout=out, stderr=err, environment={"RUNBOOK_DEBUG": "1"})
    return Result(main(argv, desk), out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one good runbook, which we stand in."""
    (tmp_path / "runbooks").mkdir()
    text = GOOD.read_text().replace("deadline: 40m ", "deadline: 1h ")
    (tmp_path / "runbooks" / "high-error-rate.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lint_of_good_files(folder: Path) -> None:
    """The sum, and the worst case of each run against its deadline."""
    result = _run("lint", "runbooks")

    assert (0, "") == (result.code, result.err)
    worst, total = result.out.splitlines()
    assert re.fullmatch(r"checkout-high-error-rate  worst case \d+m(\d+s)? of 1h", worst)
    assert "1 file: no errors, no warnings" == total


def test_lint_shows_every_error_of_every_file(folder: Path) -> None:
    """Findings go to standard error, the sum to standard output."""
    for name in ("a", "b"):
        (folder / "runbooks" / f"{name}.yaml").write_text("apiVersion: runbook-engine/v1\nkind: Runbok\n")

    result = _run("lint", "runbooks")

    assert 2 == result.code
    assert (
        'runbooks/a.yaml:2:7: error: unknown kind "Runbok"\n'
        "    2 | kind: Runbok\n"
        "      |       ^^^^^^\n"
        '      = did you mean "Runbook"?\n'
    ) in result.err
    assert "runbooks/b.yaml:2:7: error: " in result.err
    assert result.out.endswith("3 files: 2 errors, 0 warnings\n")


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 1)], ids=["as a rule", "strict"])
def test_lint_of_warnings(folder: Path, strict: bool, code: int) -> None:
    """They count when asked for."""
    (folder / "runbooks" / "empty.yaml").write_text("")

    result = _run("lint", "runbooks", *(["--strict"] if strict else []))

    assert code == result.code
    assert "runbooks/empty.yaml:1:1: warning: the file is empty\n" in result.err


def test_lint_finds_the_installation_above(folder: Path) -> None:
    """So names of teams and receivers are checked although only one file was named."""
    (folder / "runbooks" / "engine.yaml").write_text(
        "apiVersion: runbook-engine/v1\nkind: EngineConfig\nreceivers: {pager: {adapter: console}}\n"
    )

    result = _run("lint", "runbooks/high-error-rate.yaml", "--format", "json")

    assert 2 == result.code
    assert any("chat" in error["message"] for error in result.record["errors"])


def test_lint_of_what_is_not_there(folder: Path) -> None:
    """It is an error, not a clean bill."""
    result = _run("lint", "nowhere.yaml")

    assert 2 == result.code
    assert "nowhere.yaml:1:1: error: cannot be read: No such file or directory\n" == result.err


def test_test_runs_what_stands_beside_the_runbook(folder: Path) -> None:
    """In simulated time."""
    (folder / "runbooks" / "high-error-rate.test.yaml").write_text(TEST)

    result = _run("test", "runbooks")

    assert (0, "") == (result.code, result.err)
    assert (
        "runbooks/high-error-rate.test.yaml\n  ok      a warning is not our business\n1 passed, 0 failed\n"
    ) == result.out


def test_a_failing_test_is_a_no(folder: Path) -> None:
    """Exit 1, with the reason for scripts."""
    (folder / "runbooks" / "high-error-rate.test.yaml").write_text(TEST + FAILING.lstrip("\n"))

    result = _run("test", "runbooks", "--format", "json")

    assert 1 == result.code
    assert (1, 1) == (result.record["passed"], result.record["failed"])
    failed = [test for test in result.record["tests"] if not test["ok"]]
    assert ["it never happens"] == [test["name"] for test in failed]
    assert failed[0]["reason"]


def test_test_of_a_file_with_errors_is_wrong_input(folder: Path) -> None:
    """Nothing is run."""
    (folder / "runbooks" / "bad.yaml").write_text("kind: Runbok\n")

    result = _run("test", "runbooks")

    assert (2, "") == (result.code, result.out)
    assert "runbooks/bad.yaml:1:7: error: " in result.err


def test_schema_is_a_json_schema() -> None:
    """With every action by name."""
    result = _run("schema")

    assert 0 == result.code
    assert "degrade" in json.dumps(result.record)
    assert result.record["$schema"].startswith("https://json-schema.org/")


def test_a_bundle_is_what_a_host_loads(folder: Path) -> None:
    """The same runbooks, compiled."""
    result = _run("bundle", "--output", "runbooks.bundle")

    assert 0 == result.code
    content = (folder / "runbooks.bundle").read_bytes()
    assert ["checkout-high-error-rate"] == [runbook.name for runbook in load_bundle(content).runbooks]
    assert f"runbooks.bundle: 1 runbook, {len(content)} bytes\n" == result.out


def test_a_bundle_that_cannot_be_written(folder: Path) -> None:
    """The path was wrong."""
    result = _run("bundle", "--output", "nowhere/runbooks.bundle")

    assert 2 == result.code
    said = "runbook: the bundle cannot be written to nowhere/runbooks.bundle: No such file or directory\n"
    assert said == result.err


def test_an_answer_whose_reader_has_gone_is_no_error(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`runbook lint | head` ends quietly."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    desk = Desk(stdin=Stream(), stdout=Gone(), stderr=Stream(), environment={})

    assert 0 == main(["lint", "runbooks"], desk)
    assert "" == capfd.readouterr().err


def test_lint_of_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    """A mistyped folder is no clean one."""
    result = _run("lint", str(tmp_path))

    said = f"runbook: no YAML file under {tmp_path}: name a folder with runbooks, or a file\n"
    assert (2, "", said) == (result.code, result.out, result.err)


@pytest.mark.parametrize("command", ["lint", "test"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, command: str) -> None:
    """A pipe without a writer, and a link to itself."""
    pipe, loop = tmp_path / "pipe.yaml", tmp_path / "loop.yaml"
    os.mkfifo(pipe)
    loop.symlink_to(loop)

    piped, looped = _run(command, str(pipe)), _run(command, str(loop))

    assert (2, f"runbook: {pipe} is neither a file nor a folder (name a file or a folder)\n") == (piped.code, piped.err)
    assert 2 == looped.code
    assert f"runbook: {loop} cannot be read: " in looped.err


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("lint", "runbooks"), id="lint"),
        pytest.param(("test", "runbooks"), id="test"),
        pytest.param(("bundle", "--output", "runbooks.bundle"), id="bundle"),
        pytest.param(("serve",), id="serve"),
    ],
)
def test_what_cannot_be_read_in_a_folder_is_told_with_its_remedy(folder: Path, command: tuple[str, ...]) -> None:
    """Neither waited for nor passed over: a runbook that is missing is missed when its alert fires."""
    os.mkfifo(folder / "runbooks" / "a.yaml")
    (folder / "runbooks" / "b.yaml").symlink_to("b.yaml")
    (folder / "runbooks" / "c").symlink_to(folder)

    result = _run(*command)

    assert 2 == result.code
    assert (
        "runbooks/a.yaml:1:1: error: it is a pipe, which is not read\n"
        "      = put a file in its place, or remove it\n"
        "runbooks/b.yaml:1:1: error: the link cannot be followed: Too many levels of symbolic links\n"
        "      = correct where it leads, or remove it\n"
        "runbooks/c:1:1: error: the folder is a link that leads out of the folder of the runbooks\n"
        "      = put the folder itself here\n"
    ) in result.err


def test_lint_tells_what_cannot_be_read_when_the_folder_holds_nothing_else(tmp_path: Path) -> None:
    """Rather than that there is nothing."""
    (tmp_path / "a.yaml").symlink_to("gone.yaml")

    result = _run("lint", str(tmp_path))

    assert (2, "0 files: 1 error, 0 warnings\n") == (result.code, result.out)


def test_test_runs_what_is_named_so_and_writes_junit(folder: Path) -> None:
    """The answer on standard output is as ever."""
    (folder / "runbooks" / "high-error-rate.test.yaml").write_text(TEST + FAILING.lstrip("\n"))

    result = _run("test", "runbooks", "-k", "Never", "--junit", "results.xml")

    assert 1 == result.code
    assert result.out.startswith("runbooks/high-error-rate.test.yaml\n  FAILED  it never happens\n")
    assert (
        "                1m  > expected  matched: [checkout-high-error-rate]\n"
        "                1m  > was       matched: []\n"
    ) in result.out
    written = (folder / "results.xml").read_text()
    assert '<testsuite name="runbooks/high-error-rate.test.yaml" tests="1" failures="1" errors="0"' in written
    assert 'failure message="at 1m: matched: expected [checkout-high-error-rate], it is []"' in written


def test_test_says_that_nothing_is_named_so(folder: Path) -> None:
    """Rather than that all is well."""
    (folder / "runbooks" / "high-error-rate.test.yaml").write_text(TEST)

    result = _run("test", "runbooks", "--filter", "shed")

    assert (2, "") == (result.code, result.out)
    assert "runbook: no test has 'shed' in its name: runbook test without -k lists them all\n" == result.err


def test_test_says_where_junit_cannot_be_written(folder: Path) -> None:
    """And that nothing else is wrong."""
    (folder / "runbooks" / "high-error-rate.test.yaml").write_text(TEST)

    result = _run("test", "runbooks", "--junit", "no/such/folder.xml")

    assert 2 == result.code
    assert "runbook: the results cannot be written to no/such/folder.xml: No such file or directory\n" == result.err


def test_results_for_scripts_carry_the_timeline(folder: Path) -> None:
    """Of every test, passed or not."""
    (folder / "runbooks" / "high-error-rate.test.yaml").write_text(TEST + FAILING.lstrip("\n"))

    result = _run("test", "runbooks", "--format", "json")

    assert [
        ["      0s  alert fires: CheckoutHighErrorRate (severity=warning)"],
        [
            "      0s  alert fires: CheckoutHighErrorRate (severity=warning)",
            "      1m  > expected  matched: [checkout-high-error-rate]",
            "      1m  > was       matched: []",
        ],
    ] == [test["timeline"] for test in result.record["tests"]]
