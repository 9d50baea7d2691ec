"""A runbook that uses a part is the runbook that it would be if everything stood in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.loading.files import Loaded, load_files, load_valid_files
from runbook_engine.model.runbook import Runbook
from runbook_engine.registry import Registry

HEAD = """
apiVersion: runbook-engine/v1
kind: {kind}
metadata: {{name: {name}{owner}}}
"""
PART = (
    HEAD.format(kind="RunbookPart", name="shed-then-scale", owner="")
    + """
parameters:
  flag: {description: The parameter that sheds load}
  upTo: {type: integer, default: 12}
  goal: {type: number, default: 0.02}
  service: {default: checkout}
  settle: {type: duration, default: 30s}
require: {ready: 50%}
diagnostics:
  - graph: {title: "Errors of {{ parameters.service }}", query: "{{ parameters.service }}:error_ratio"}
verify:
  - {query: "{{ parameters.service }}:error_ratio", below: "{{ parameters.goal }}", timeout: 2m}
guardrails:
  cooldown: 30m
  deadline: 1h
  blastRadius: {protect: {nodeLabels: [a]}, podsEvicted: {max: 60, maxPercent: 5}}
steps:
  - {name: shed, action: degrade, with: {parameter: "{{ parameters.flag }}", value: "true"}, compensate: whenResolved}
  - name: grow
    action: scale
    with: {by: 50%, upTo: "{{ parameters.upTo }}"}
    settle: "{{ parameters.settle }}"
    compensate: whenResolved
notify:
  - {receiver: oncall, events: [notFixed]}
"""
)
HEADER = (
    HEAD.format(kind="Runbook", name="checkout-errors", owner=", owner: team-checkout")
    + """
matchers: [alertname = CheckoutErrors]
target: {namespace: apps, deployment: checkout}
mode: auto
"""
)
USER = (
    HEADER
    + """
uses: lib/shed-then-scale.yaml
with: {flag: /checkout/degraded, upTo: 20, goal: 0.05, settle: 10s}
verify: [{alert: resolved}]
guardrails: {deadline: 45m, blastRadius: {protect: {nodeLabels: [b]}, podsEvicted: {max: 6}}}
steps:
  - {name: roll-back, action: rollback, with: {to: previous}, compensate: never}
notify:
  - {receiver: chat, events: [started]}
"""
)
WRITTEN_OUT = (
    HEADER
    + """
require: [{ready: 50%}]
diagnostics:
  - graph: {title: Errors of checkout, query: "checkout:error_ratio"}
verify:
  - {query: "checkout:error_ratio", below: 0.05, timeout: 2m}
  - {alert: resolved}
guardrails:
  cooldown: 30m
  deadline: 45m
  blastRadius: {protect: {nodeLabels: [a, b]}, podsEvicted: {max: 6}}
steps:
  - {name: shed, action: degrade, with: {parameter: /checkout/degraded, value: "true"}, compensate: whenResolved}
  - {name: grow, action: scale, with: {by: 50%, upTo: 20}, settle: 10s, compensate: whenResolved}
  - {name: roll-back, action: rollback, with: {to: previous}, compensate: never}
notify:
  - {receiver: oncall, events: [notFixed]}
  - {receiver: chat, events: [started]}
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of runbooks with a library."""
    folder = tmp_path / "runbooks"
    (folder / "lib").mkdir(parents=True)
    (folder / "checkout").mkdir()
    (folder / "lib" / "shed-then-scale.yaml").write_text(PART)
    return folder


def only(loaded: Loaded) -> Runbook:
    """Return the one runbook that was loaded without a finding."""
    assert () == loaded.diagnostics, "\n".join(map(str, loaded.diagnostics))
    (runbook,) = loaded.bundle.runbooks
    return runbook


def test_a_runbook_with_a_part_is_the_one_that_is_written_out(folder: Path, registry: Registry) -> None:
    """Numbers stay numbers, lists are joined, guardrails are the tighter ones: both decide alike, by their digest."""
    (folder / "errors.yaml").write_text(USER)
    written = folder.parent / "written.yaml"
    written.write_text(WRITTEN_OUT)

    used, plain = only(load_files([folder], registry)), only(load_files([written], registry))

    assert plain.digest == used.digest
    assert timedelta(minutes=45) == used.guardrails.deadline
    assert ["shed", "grow", "roll-back"] == [step.name for step in used.steps]


def test_steps_know_the_file_that_they_were_written_in(folder: Path, registry: Registry) -> None:
    """Somebody who reads a plan finds the line, whichever file it stands in."""
    (folder / "errors.yaml").write_text(USER)

    runbook = only(load_files([folder], registry))

    part = str(folder / "lib" / "shed-then-scale.yaml")
    assert [(part, 22), (part, 23), ("", 15)] == [(step.file, step.line) for step in runbook.steps]


def test_a_part_that_changes_changes_the_digest(folder: Path, registry: Registry) -> None:
    """An approval or a stored runbook is about what the part said then."""
    (folder / "errors.yaml").write_text(USER)
    before = only(load_files([folder], registry)).digest
    (folder / "lib" / "shed-then-scale.yaml").write_text(PART.replace("by: 50%", "by: 40%"))

    after = only(load_files([folder], registry)).digest

    assert before != after


@pytest.mark.parametrize("alone", [pytest.param(True, id="the file alone"), pytest.param(False, id="the folder")])
def test_a_part_is_reached_over_the_parent_folder_within_the_runbooks(
    alone: bool, folder: Path, registry: Registry
) -> None:
    """Runbooks in folders of their own share a library beside them; an engine.yaml marks the folder of them all."""
    (folder / "engine.yaml").write_text("apiVersion: runbook-engine/v1\nkind: EngineConfig\n")
    file = folder / "checkout" / "errors.yaml"
    file.write_text(USER.replace("uses: lib", "uses: ../lib"))

    loaded = load_valid_files([file if alone else folder / "checkout"], registry)

    assert ["checkout-errors"] == [runbook.name for runbook in loaded.bundle.runbooks]


@pytest.mark.parametrize(
    "named",
    [
        pytest.param("../lib/shed-then-scal.yaml", id="a letter is missing"),
        pytest.param("../libs/shed-then-scale.yaml", id="another folder"),
        pytest.param("lib/shed-then-scale.yaml", id="from the folder above"),
    ],
)
def test_a_mistyped_part_is_suggested_as_it_is_to_be_written(named: str, folder: Path, registry: Registry) -> None:
    """The path from the runbook's file, and never that of a runbook."""
    (folder / "engine.yaml").write_text("apiVersion: runbook-engine/v1\nkind: EngineConfig\n")
    (folder / "checkout" / "shed-then-scal.yaml").write_text(WRITTEN_OUT)
    file = folder / "checkout" / "errors.yaml"
    file.write_text(USER.replace("lib/shed-then-scale.yaml", named))

    [found] = load_files([file], registry).errors

    assert (f'there is no file "{named}"', 'did you mean "../lib/shed-then-scale.yaml"?') == (found.message, found.hint)


@pytest.mark.parametrize(
    "way", [pytest.param("file", id="a link to a file"), pytest.param("folder", id="a link to a folder")]
)
def test_a_link_does_not_lead_out_of_the_runbooks(way: str, folder: Path, registry: Registry) -> None:
    """What lies elsewhere is not read, however it is reached."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "part.yaml").write_text(PART)
    if way == "file":
        (folder / "lib" / "part.yaml").symlink_to(outside / "part.yaml")
    else:
        (folder / "away").symlink_to(outside)
    named = "lib/part.yaml" if way == "file" else "away/part.yaml"
    file = folder / "errors.yaml"
    file.write_text(USER.replace("lib/shed-then-scale.yaml", named))

    loaded = load_files([file], registry)

    assert [f'"{named}" leads out of the folder of the runbooks'] == [error.message for error in loaded.errors]


def test_a_folder_of_links_within_is_followed(folder: Path, registry: Registry) -> None:
    """A mounted ConfigMap is a folder of links to a hidden folder beside them."""
    (folder / "..data").mkdir()
    (folder / "..data" / "part.yaml").write_text(PART)
    (folder / "part.yaml").symlink_to(Path("..data", "part.yaml"))
    (folder / "errors.yaml").write_text(USER.replace("lib/shed-then-scale.yaml", "part.yaml"))

    loaded = load_files([folder / "errors.yaml"], registry)

    assert "shed" == only(loaded).steps[0].name


def test_a_value_that_does_not_fit_is_told_where_the_runbook_writes_it(folder: Path, registry: Registry) -> None:
    """The part is right, the runbook's number is not."""
    file = folder / "errors.yaml"
    file.write_text(USER.replace("upTo: 20", "upTo: 0"))

    found = load_files([file], registry).errors

    assert [(str(file), 11, '"upTo" must be at least 1, not 0')] == [
        (each.file, each.line, each.message) for each in found
    ]


def test_a_part_that_nobody_uses_is_told(folder: Path, registry: Registry) -> None:
    """What no runbook uses has been judged by nobody."""
    loaded = load_files([folder], registry)

    assert ["no runbook uses this part, so nobody has checked what it holds"] == [
        each.message for each in loaded.warnings
    ]


def test_a_value_is_filled_in_once_and_never_read_again(folder: Path, registry: Registry) -> None:
    """A value that looks like a parameter is refused; one that is an input's template is filled in by the run."""
    file = folder / "errors.yaml"
    inputs = "inputs: {flag: {type: parameter, from: alert.labels.flag}}\n"
    file.write_text(USER.replace("flag: /checkout/degraded", 'flag: "{{ inputs.flag }}"') + inputs)
    runbook = only(load_files([file], registry))
    file.write_text(USER.replace("flag: /checkout/degraded", 'flag: "{{ parameters.upTo }}"'))

    found = load_files([file], registry).errors

    assert "{{ inputs.flag }}" == runbook.steps[0].arguments["parameter"]
    assert ['"flag" of the part lib/shed-then-scale.yaml must be text'] == [each.message for each in found]


TIGHTER = {
    "cooldown": ("cooldown: 30m", "cooldown: 1h", "cooldown: 29m"),
    "deadline": ("deadline: 40m", "deadline: 30m", "deadline: 41m"),
    "minimumFaultAge": ("minimumFaultAge: 1m", "minimumFaultAge: 2m", "minimumFaultAge: 30s"),
    "stepCap.up": ("stepCap: {up: 50%}", "stepCap: {up: 20%}", "stepCap: {up: 51%}"),
    "stepCap.down": ("stepCap: {down: 20%}", "stepCap: {down: 0%}", "stepCap: {down: 21%}"),
    "budget.changes": (
        "budget: {changes: 4, per: fleet, window: 1h}",
        "budget: {changes: 3, per: fleet, window: 1h}",
        "budget: {changes: 5, per: fleet, window: 1h}",
    ),
    "budget.window": (
        "budget: {changes: 4, per: fleet, window: 1h}",
        "budget: {changes: 4, per: fleet, window: 2h}",
        "budget: {changes: 4, per: fleet, window: 59m}",
    ),
    "blastRadius.podsEvicted.max": (
        "blastRadius: {podsEvicted: {max: 6}}",
        "blastRadius: {podsEvicted: {max: 0}}",
        "blastRadius: {podsEvicted: {max: 7}}",
    ),
    "blastRadius.nodesUnavailable.maxPercent": (
        "blastRadius: {nodesUnavailable: {maxPercent: 10}}",
        "blastRadius: {nodesUnavailable: {maxPercent: 5}}",
        "blastRadius: {nodesUnavailable: {maxPercent: 11}}",
    ),
    "gitops": ("gitops: refuse", "gitops: refuse", "gitops: allowDrift"),
}
SMALL = (
    HEAD.format(kind="RunbookPart", name="small", owner="") + "steps: [{name: again, action: restart}]\nguardrails:\n  "
)


@pytest.mark.parametrize("name", TIGHTER)
def test_a_runbook_may_tighten_and_never_loosen_a_guardrail_of_its_part(
    name: str, folder: Path, registry: Registry
) -> None:
    """Equal and tighter ones hold; a looser one is an error that names both lines."""
    required = [each for each in ("cooldown: 30m", "deadline: 40m") if not TIGHTER[name][0].startswith(each[:8])]
    theirs, *own = TIGHTER[name]
    (folder / "lib" / "small.yaml").write_text(SMALL + "\n  ".join([theirs, *required]) + "\n")
    file = folder / "user.yaml"

    def errors(written: str) -> list[str]:
        file.write_text(f"{HEADER}uses: lib/small.yaml\nguardrails: {{{written}}}\n")
        return [error.message for error in load_files([file], registry).errors]

    assert [[], []] == [errors(theirs), errors(own[0])]
    (message,) = errors(own[1])
    assert message.startswith(f'"{name}" of ')
    assert f" loosens that of {folder}/lib/small.yaml:7, which is " in message


def test_a_step_without_its_list_is_told_beside_those_of_a_part(folder: Path, registry: Registry) -> None:
    """Only a check may stand without its list, with a part as without one."""
    step = "{name: roll-back, action: rollback, with: {to: previous}, compensate: never}"
    (folder / "errors.yaml").write_text(USER.replace(f"steps:\n  - {step}", f"steps: {step}"))

    loaded = load_files([folder], registry)

    assert ['"steps" must be a list, not a map'] == [found.message for found in loaded.errors]
