"""`runbook permissions --format iam`: a policy, and a given one compared with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.entrypoints.cli import main
from runbook_engine.entrypoints.cli.desk import Desk
from tests.unit.cli.desks import Result, Stream

CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {name: lab}
adapters:
  functions: {adapter: lambda}
  flags: {adapter: FLAGS}
receivers: {chat: {adapter: console}}
teams: {team-orders: {receiver: chat}}
targets: ["function=orders:live", "parameter=/orders/*"]
modeCeiling: auto
"""
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: orders-errors, owner: team-orders}
matchers: [alertname = OrdersErrors]
target: {function: orders, alias: live}
mode: auto
guardrails: {cooldown: 30m, deadline: 60m}
steps:
  - {name: shed, action: degrade, with: {parameter: /orders/slim, value: "true"}, compensate: whenResolved}
  - {name: back, action: rollback, with: {to: previous}}
"""
WHERE = ("--account", "123456789012", "--region", "eu-west-1")
ALIAS = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"


def run(*argv: str) -> Result:
    """Run the command where the runbook is."""
    out, err = Stream(), Stream()
    desk = Desk(stdin=Stream(), stdout=out, stderr=err, environment={"NO_COLOR": "1", "RUNBOOK_DEBUG": "1"})
    return Result(main(("permissions", *argv), desk), out.getvalue(), err.getvalue())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a runbook and an engine.yaml, which we stand in."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "orders.yaml").write_text(RUNBOOK)
    (tmp_path / "runbooks" / "engine.yaml").write_text(CONFIG.replace("FLAGS", "ssm"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def policy() -> dict[str, Any]:
    """Return the policy that is needed."""
    result = run("--format", "iam", *WHERE)
    assert (0, "") == (result.code, result.err)
    found: dict[str, Any] = json.loads(result.out)
    return found


def check(given: object, *argv: str) -> Result:
    """Compare with a given policy."""
    Path("given.json").write_text(given if isinstance(given, str) else json.dumps(given))
    return run("--check", "given.json", *WHERE, *argv)


def test_a_policy_names_what_is_changed() -> None:
    """The alias and the parameter, in this account and region."""
    changes = {
        action: statement["Resource"]
        for statement in policy()["Statement"]
        for action in statement["Action"]
        if statement["Sid"].startswith("Change")
    }

    parameter = ["arn:aws:ssm:eu-west-1:123456789012:parameter/orders/slim"]
    assert changes == {
        "lambda:UpdateAlias": [ALIAS.removesuffix(":live"), ALIAS],
        **dict.fromkeys(
            (
                *("ssm:PutParameter", "ssm:DeleteParameter"),
                *("ssm:LabelParameterVersion", "ssm:UnlabelParameterVersion"),
            ),
            parameter,
        ),
    }


def test_a_policy_without_writes_is_for_observing() -> None:
    """What only looks changes nothing."""
    found = json.loads(run("--format", "iam", "--mode", "observe").out)

    assert {statement["Sid"][:4] for statement in found["Statement"]} == {"Look"}


def test_flags_in_a_file_need_no_right_of_aws(folder: Path) -> None:
    """Nobody asks AWS for them."""
    (folder / "runbooks" / "engine.yaml").write_text(
        CONFIG.replace("{adapter: FLAGS}", "{adapter: files, path: f.json}")
    )

    actions = {action for statement in policy()["Statement"] for action in statement["Action"]}

    assert {action.partition(":")[0] for action in actions} == {"lambda"}


def test_text_and_json_show_both_kinds() -> None:
    """Of a cluster none, of AWS these; wildcards say why."""
    text, record = run(*WHERE), json.loads(run("--format", "json", *WHERE).out)

    row = next(line for line in text.out.splitlines() if line.startswith(f"{ALIAS} ") and "UpdateAlias" in line)
    assert row.split(maxsplit=2) == [ALIAS, "lambda:UpdateAlias", "orders-errors: step back"]
    assert "Lambda lists event sources of all functions or of none" in text.out
    assert text.out.splitlines()[-1].endswith("of AWS, 6 of them write")
    assert record["grants"] == []
    assert {"action", "resource", "conditions", "why_all", "because"} == set(record["allowances"][0])


def test_exactly_what_is_needed_is_enough() -> None:
    """The policy that was printed passes its own check, in both formats."""
    told, record = check(policy()), check(policy(), "--format", "json")

    assert (0, "exactly what is needed\n") == (told.code, told.out)
    assert json.loads(record.out) == {"exact": True, "missing": [], "extra": []}


def drop(found: dict[str, Any]) -> None:
    """Take the right to move the alias away."""
    found["Statement"] = [each for each in found["Statement"] if "lambda:UpdateAlias" not in each["Action"]]


def widen(found: dict[str, Any]) -> None:
    """Allow every change of every function."""
    found["Statement"].append({"Effect": "Allow", "Action": "lambda:*", "Resource": "*"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(drop, ("missing", "lambda:UpdateAlias", "2 allowances missing, 0 too many"), id="narrower"),
        pytest.param(widen, ("too much", "lambda:*", "0 allowances missing, 1 too many"), id="wider"),
    ],
)
def test_a_given_policy_is_narrower_or_wider(change: Callable[[dict[str, Any]], None], words: tuple[str, ...]) -> None:
    """And it says by what."""
    given = policy()
    change(given)

    result = check(given)

    assert result.code == 1
    assert all(word in result.out for word in words), result.out


def test_a_wildcard_that_is_given_covers_what_is_needed() -> None:
    """Nothing is missing then, and all of it is too much."""
    given = {"Statement": {"Effect": "Allow", "Action": ["lambda:*", "ssm:*Parameter*"], "Resource": "*"}}

    record = json.loads(check(given, "--format", "json").out)

    assert record["missing"] == []
    assert {each["action"] for each in record["extra"]} == {"lambda:*", "ssm:*Parameter*"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param(
            {"Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]},
            "given.json: statement 1 does not allow but 'Deny': what is not named cannot be compared with what is "
            "needed (name actions and resources, each with Effect: Allow)",
            id="a no",
        ),
        pytest.param(
            {"Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]},
            "given.json: statement 1 says NotAction: what is not named cannot be compared with what is needed (name "
            "actions and resources, each with Effect: Allow)",
            id="all but something",
        ),
        pytest.param(
            {"Statement": [{"Effect": "Allow", "Action": [], "Resource": "*"}]},
            "given.json: statement 1: Action is no text and no list of texts (give it a policy of IAM)",
            id="no action",
        ),
        pytest.param(
            {"Statement": ["Allow"]}, "given.json: statement 1 is no map (give it a policy of IAM)", id="no statement"
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(given: object, sentence: str) -> None:
    """Rather than called exact."""
    result = check(given)

    assert result.code == 2
    assert sentence in result.err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        pytest.param(("--account", "12"), "'12' is no account (write its twelve digits)", id="an account"),
        pytest.param(("--region", "Ireland"), "'Ireland' is no region (write one such as eu-west-1)", id="a region"),
    ],
)
def test_a_wrong_place_is_said_in_one_sentence(argv: tuple[str, ...], sentence: str) -> None:
    """Nothing is guessed."""
    result = run("--format", "iam", *argv)

    assert result.code == 2
    assert sentence in result.err


@pytest.mark.parametrize(
    "adapters",
    [
        pytest.param("flags: {adapter: files, path: f.json}", id="no adapter of AWS"),
        pytest.param("pause: {adapter: ssm, parameter: /pause}", id="only what belongs to the host"),
    ],
)
@pytest.mark.parametrize(
    "argv",
    [("--format", "iam"), ("--check", "given.json"), ("--check", "given.json", "--format", "json")],
    ids=["a policy", "a comparison", "a comparison for scripts"],
)
def test_an_installation_outside_aws_has_no_policy(folder: Path, adapters: str, argv: tuple[str, ...]) -> None:
    """An empty one would be blessed, and every call refused."""
    served = "  functions: {adapter: lambda}\n  flags: {adapter: FLAGS}\n"
    (folder / "runbooks" / "engine.yaml").write_text(CONFIG.replace(served, f"  {adapters}\n"))
    (folder / "given.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": []}))

    result = run(*argv, *WHERE)

    assert (2, "") == (result.code, result.out)
    assert result.err == (
        "runbook: runbooks/engine.yaml: no adapter of AWS serves what runbooks change or look at, so there is no "
        "policy to tell (name the installation in AWS: --runbooks DIR --config FILE, as in --runbooks runbooks/aws "
        "--config terraform/examples/engine.yaml)\n"
    )


def test_a_policy_that_is_too_long_is_said_beside_it(folder: Path) -> None:
    """AWS would refuse it, and the remedy is to say fewer runbooks at once."""
    targets = ", ".join(f'"function=orders-{number:03}:live"' for number in range(60))
    (folder / "runbooks" / "engine.yaml").write_text(
        CONFIG.replace("FLAGS", "ssm").replace('"function=orders:live"', targets)
    )
    wide = RUNBOOK.replace("{function: orders,", '{function: "{{ alert.name }}",')
    (folder / "runbooks" / "orders.yaml").write_text(wide)

    result = run("--format", "iam", *WHERE)

    assert json.loads(result.out)["Version"] == "2012-10-17"
    assert "and a managed one may have 6144: say fewer runbooks at once" in result.err
