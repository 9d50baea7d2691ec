"""Whole folders are loaded, and every error of every file is told at once."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.errors import InvalidRunbook
from runbook_engine.loading.files import Loaded, load_files, load_valid_files
from runbook_engine.registry import Registry
from tests.length import examples

GOOD = Path(__file__).parents[2] / "data" / "good"
DOCUMENTS = [yaml.safe_load(file.read_text()) for file in sorted(GOOD.glob("*.yaml"))]
VALUES = [None, 1, -1.5, True, "", "x", "{{ x }}", "{{ inputs.cluster }}", "{%", [], {}, [1], {"a": {}}, "5m", "none"]


def test_load_files_finds_runbooks_tests_and_configuration_when_given_a_folder(loaded: Loaded) -> None:
    """The kind of a document decides, not the name of its file."""
    assert ["checkout-high-error-rate"] == [runbook.name for runbook in loaded.bundle.runbooks]
    assert ["high-error-rate.test.yaml"] == [Path(test.file).name for test in loaded.tests]
    assert "demo" == loaded.bundle.configuration.name
    assert 3 == len(loaded.files)


def test_load_files_reads_each_file_once_when_it_is_named_twice(registry: Registry) -> None:
    """A configuration that also lies in the folder is no second one."""
    loaded = load_files([GOOD, GOOD / "high-error-rate.yaml"], registry, GOOD / "engine.yaml")

    assert () == loaded.errors
    assert 1 == len(loaded.bundle.runbooks)


def test_load_files_skips_hidden_folders_when_given_a_folder(registry: Registry, tmp_path: Path) -> None:
    """What begins with a dot belongs to tools."""
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.yaml").write_text("kind: Nonsense\n")

    assert () == load_files([tmp_path], registry).diagnostics


def test_load_files_tells_errors_of_all_files_when_several_are_bad(registry: Registry, tmp_path: Path) -> None:
    """One run shows everything that is to be repaired; what is right is still loaded."""
    (tmp_path / "a.yaml").write_text("kind: Nonsense\n")
    (tmp_path / "b.yaml").write_text("a: [\n")
    (tmp_path / "c.yaml").write_text((GOOD / "high-error-rate.yaml").read_text())

    loaded = load_files([tmp_path, tmp_path / "gone.yaml"], registry)

    assert [
        ("a.yaml", "unknown-kind"),
        ("b.yaml", "syntax"),
        ("gone.yaml", "unreadable-file"),
    ] == [(Path(error.file).name, error.code) for error in loaded.errors]
    assert 1 == len(loaded.bundle.runbooks)


def test_load_valid_files_raises_when_anything_is_wrong(registry: Registry, tmp_path: Path) -> None:
    """A host never starts with half of its runbooks."""
    file = tmp_path / "a.yaml"
    file.write_text("kind: Runbok\n")

    with pytest.raises(InvalidRunbook) as raised:
        load_valid_files([file], registry)

    expected = f'{file}:1:7: error: unknown kind "Runbok"\n    1 | kind: Runbok\n      |       ^^^^^^\n'
    assert expected + '      = did you mean "Runbook"?' == str(raised.value)


def test_load_files_refuses_when_there_are_two_configurations(registry: Registry, tmp_path: Path) -> None:
    """Which of them counts must not depend on the order of files."""
    file = tmp_path / "a.yaml"
    config = "apiVersion: runbook-engine/v1\nkind: EngineConfig\n"
    file.write_text(f"{config}---\n{config}")

    errors = load_files([file], registry).errors

    assert [f"a second EngineConfig, the first is {file}:1"] == [error.message for error in errors]


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(below for key, child in children for below in _paths(child, (*path, key)))]


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
@pytest.mark.slow
def test_load_files_answers_when_any_part_of_a_document_is_replaced(
    data: st.DataObject, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No document raises, and no sentence is anybody's but ours."""
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    path = data.draw(st.sampled_from(_paths(document)[1:]))
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
    file = tmp_path_factory.getbasetemp() / "mutated.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))

    found = load_files([file], registry).diagnostics

    assert [] == [each.message for each in found if "Input should" in each.message or "Value error" in each.message]


def test_links_out_of_the_folder_are_told_and_not_read(registry: Registry, tmp_path: Path) -> None:
    """What they lead to may be anybody's secret, and a finding shows its line; links within are read."""
    folder = tmp_path / "runbooks"
    (folder / "..data").mkdir(parents=True)
    (folder / "..data" / "a.yaml").write_text((GOOD / "high-error-rate.yaml").read_text())
    (folder / "a.yaml").symlink_to(Path("..data", "a.yaml"))
    (tmp_path / "secret.txt").write_text("password: s3cret\n")
    (folder / "b.yaml").symlink_to(tmp_path / "secret.txt")

    loaded = load_files([folder], registry)

    (error,) = loaded.errors
    assert ["checkout-high-error-rate"] == [runbook.name for runbook in loaded.bundle.runbooks]
    assert ("b.yaml", "leads-out", "") == (Path(error.file).name, error.code, error.source_line)
    assert "the file is a link that leads out of the folder" == error.message


@pytest.mark.parametrize("named", ["../secret.yaml", "{}/secret.yaml", "link.yaml"])
def test_a_test_names_no_file_out_of_the_folder(named: str, registry: Registry, tmp_path: Path) -> None:
    """Neither by a path nor by a link."""
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (tmp_path / "secret.yaml").write_text("password: s3cret\n")
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    text = (GOOD / "high-error-rate.test.yaml").read_text()
    written = named.format(tmp_path)
    (folder / "a.test.yaml").write_text(text.replace("[high-error-rate.yaml]", f"['{written}']"))

    loaded = load_files([folder / "a.test.yaml"], registry)

    says = f'"{written}" leads out of the folder of the runbooks, and of the one that you work in'
    assert says in [error.message for error in loaded.errors]
    assert () == loaded.tests


@pytest.mark.parametrize(
    ("named", "codes"),
    [
        pytest.param("../runbooks/high-error-rate.yaml", [], id="a runbook of the checkout"),
        pytest.param("../runbooks/secret.txt", ["no-yaml"], id="what is no YAML"),
        pytest.param("../../beside.yaml", ["leads-out"], id="a runbook beside the checkout"),
    ],
)
@pytest.mark.parametrize(
    ("git", "work"),
    [
        pytest.param(None, ".", id="in a folder that git does not know"),
        pytest.param("folder", ".", id="at the root of the checkout"),
        pytest.param("folder", "tests", id="in a folder of the checkout"),
        pytest.param("file", "tests/deep", id="in a folder of a worktree"),
    ],
)
def test_a_test_names_runbooks_of_the_checkout_that_somebody_works_in(
    named: str, codes: list[str], git: str | None, work: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests often lie in a folder beside the runbooks, and are run from wherever somebody stands."""
    if git == "folder":
        (checkout / ".git").mkdir()
    if git == "file":
        (checkout / ".git").write_text("gitdir: /elsewhere\n")
    (checkout / "tests" / "a.test.yaml").write_text(_test_of(named))
    monkeypatch.chdir(checkout / work)

    loaded = load_files([checkout / "tests"], Registry())

    assert codes == [error.code for error in loaded.errors]


@pytest.mark.parametrize(
    ("named", "says"),
    [
        pytest.param("../runbooks/secret", '"../runbooks/secret" is no YAML file', id="in the checkout"),
        pytest.param(
            "../../secret",
            '"../../secret" leads out of the folder of the runbooks, and of the one that you work in',
            id="beside the checkout",
        ),
    ],
)
def test_what_a_test_names_is_said_to_be_no_yaml_when_it_does_not_lead_out(
    named: str, says: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who is told that it leads out would move it, in vain."""
    for folder in (checkout / "runbooks", checkout.parent):
        (folder / "secret").write_text("password: s3cret\n")
    (checkout / "tests" / "a.test.yaml").write_text(_test_of(named))
    monkeypatch.chdir(checkout)

    loaded = load_files([checkout / "tests"], Registry())

    assert [says] == [error.message for error in loaded.errors]
    assert () == loaded.tests


def test_a_test_names_no_runbook_beside_its_folder_when_somebody_works_there_without_git(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a checkout the working folder is the limit."""
    (checkout / "tests" / "a.test.yaml").write_text(_test_of("../runbooks/high-error-rate.yaml"))
    monkeypatch.chdir(checkout / "tests")

    loaded = load_files([Path()], Registry())

    assert ["leads-out"] == [error.code for error in loaded.errors]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with runbooks, and beside them one for tests; one more runbook lies outside."""
    runbook, folder = (GOOD / "high-error-rate.yaml").read_text(), tmp_path / "checkout"
    (folder / "tests" / "deep").mkdir(parents=True)
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "high-error-rate.yaml").write_text(runbook)
    (folder / "runbooks" / "secret.txt").write_text("password: s3cret\n")
    (tmp_path / "beside.yaml").write_text(runbook)
    return folder


def _test_of(named: str) -> str:
    """Return a test that names this runbook."""
    return (GOOD / "high-error-rate.test.yaml").read_text().replace("[high-error-rate.yaml]", f"[{named}]")
