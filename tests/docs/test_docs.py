"""The documentation is true: its documents lint, its commands run, its examples parse, its links lead somewhere."""

from __future__ import annotations

import configparser
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from msgspec.structs import fields

from runbook_engine.documents.document import Document
from runbook_engine.documents.engine_config import EngineConfigDocument
from runbook_engine.documents.part import RunbookPartDocument
from runbook_engine.documents.runbook import RunbookDocument
from runbook_engine.documents.runbook_test import RunbookTestDocument
from runbook_engine.entrypoints.cli.program import COMMANDS
from runbook_engine.loading.files import load_files
from runbook_engine.model.observation import Message
from runbook_engine.registry import ADAPTERS, Registry
from runbook_engine.templating.sandbox import FILTERS
from tests.docs.pages import LANGUAGES, PAGES, ROOT, Block, blocks_of, commands_of, prose_of

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
ADDRESS = re.compile(r"https?://([^/\s\"'`)<>,]+)")
KNOWN_HOSTS = re.compile(
    r"(127\.0\.0\.1|localhost|\S*\.example|keepachangelog\.com|semver\.org|prometheus\.io)(:[\w$]+)?"
)
THIS_MACHINE = re.compile(r"(?<![\w.])/(work|root|home|Users)/|/tmp/\w")
ROUTE = re.compile(r"@routes\.(get|post)\(\"([^\"]+)\"\)")
ANY_ID = re.compile(r"<\w+_id>")
SECONDS = 180


def named(blocks: list[Block]) -> list[object]:
    """Return blocks as parameters that say where they stand."""
    return [pytest.param(block, id=str(block)) for block in blocks]


def of_language(*languages: str) -> list[Block]:
    """Return every block of these languages."""
    return [block for block in BLOCKS if block.language in languages]


def with_commands() -> list[object]:
    """Return the pages that have something to run, as parameters."""
    pages = {block.page for block in BLOCKS if block.language == "console" or "run" in block.words}
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if page in pages]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped runbooks and the installation in AWS to work in, as a reader has them."""
    for shipped in ("runbooks", "terraform/examples"):
        shutil.copytree(ROOT / shipped, tmp_path / shipped)
    return tmp_path


@pytest.mark.parametrize("block", named(BLOCKS))
def test_block_says_what_it_is(block: Block) -> None:
    """Every block names its language, and a shell block says who runs it."""
    assert block.language in LANGUAGES, f"{block}: which of {sorted(LANGUAGES)} is this?"
    if block.language == "sh":
        assert block.words & {"run", "elsewhere"}, f"{block}: say `sh run`, or `sh elsewhere` when another test runs it"


@pytest.mark.parametrize("block", named(of_language("yaml")))
def test_yaml_is_as_the_page_says(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document lints clean, or shows exactly the findings that its block announces; a fragment parses."""
    if "apiVersion: runbook-engine/v1" not in block.text:
        assert yaml.safe_load(block.text) is not None
        return
    _lay_out(block.page, folder)
    file = _written(block, folder)
    beside = file.parent / "engine.yaml"
    config = beside if beside.exists() else folder / "runbooks" / "engine.yaml"
    config = file if "kind: EngineConfig" in block.text else config
    announced = set(filter(None, block.settings.get("shows", "").split(",")))

    monkeypatch.syspath_prepend(str(folder))  # where a page's own package is found
    monkeypatch.chdir(folder)

    loaded = load_files([file], Registry(), config)

    found = [finding for finding in loaded.diagnostics if Path(finding.file) == file]
    assert announced == {finding.code for finding in found}, "\n".join(str(finding) for finding in found)


@pytest.mark.parametrize("block", named(of_language("json")))
def test_json_parses(block: Block) -> None:
    """Every JSON example is JSON."""
    json.loads(block.text)


def test_webhook_body_is_the_one_that_receivers_get() -> None:
    """The example that people write their receiver by has exactly the keys that are sent."""
    bodies = [json.loads(block.text) for block in of_language("json") if block.page.name == "adapters.md"]

    assert [set(body) for body in bodies] == [{"receiver", *Message.__struct_fields__}]


@pytest.mark.skipif(not os.environ.get("CI") and shutil.which("amtool") is None, reason="amtool is not installed")
def test_alertmanager_understands_its_example(folder: Path) -> None:
    """The configuration in the README is one that Alertmanager takes."""
    _lay_out(ROOT / "README.md", folder)

    assert "SUCCESS" in _run(["amtool", "check-config", "alertmanager.yml"], folder, "amtool")


@pytest.mark.slow
@pytest.mark.timeout(300)  # a long page has thirty commands, one after the other
@pytest.mark.parametrize("page", with_commands())
def test_commands_do_what_the_page_says(page: Path, folder: Path) -> None:
    """The commands of a page, typed in order in one folder, print and return what the page shows."""
    _lay_out(page, folder)
    for block in blocks_of(page):
        if block.language == "console":
            _replay(block, folder)
        elif "run" in block.words:
            program = ["sh", "-eu", "-c"] if block.language == "sh" else [sys.executable, "-c"]
            _run([*program, block.text], folder, f"{block}")


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    """Every link within the repository leads to a file, and to a heading of it when it names one."""
    for target in LINK.findall(prose_of(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target} leads nowhere"
        if anchor:
            assert anchor in {_slug(heading) for heading in HEADING.findall(file.read_text())}, f"{page.name}: {target}"


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_page_names_no_machine_and_no_stranger(page: Path) -> None:
    """No page names a path of somebody's machine, or a host that is not an example or a standard."""
    text = page.read_text()

    assert THIS_MACHINE.search(text) is None
    assert [host for host in ADDRESS.findall(text) if not KNOWN_HOSTS.fullmatch(host)] == []


@pytest.mark.parametrize(
    ("document", "page"),
    [
        pytest.param(RunbookDocument, "authoring.md", id="a runbook"),
        pytest.param(RunbookTestDocument, "authoring.md", id="a test"),
        pytest.param(RunbookPartDocument, "authoring.md", id="a part"),
        pytest.param(EngineConfigDocument, "operating.md", id="an installation"),
    ],
)
def test_every_field_is_documented(document: type[Document], page: str) -> None:
    """Every field that an author may write is named in the page about it."""
    text = (ROOT / "docs" / page).read_text()

    assert sorted(name for name in _fields(document.model_json_schema()) if f"`{name}`" not in text) == []


def test_every_action_parameter_and_collector_argument_is_documented() -> None:
    """Every action and collector, with each of its parameters, stands in the page for authors."""
    text = (ROOT / "docs" / "authoring.md").read_text()
    registry = Registry()
    words = {*registry.actions, *registry.collectors}
    for params in [
        *(spec.params for spec in registry.actions.values()),
        *(spec.arguments for spec in registry.collectors.values()),
    ]:
        words |= set(params.model_json_schema().get("properties", {}))

    assert sorted(word for word in words if f"`{word}`" not in text) == []


def test_every_command_and_route_is_documented() -> None:
    """The page about the interfaces names every command and every route."""
    text = (ROOT / "docs" / "api.md").read_text()
    sources = (ROOT / "runbook_engine" / "entrypoints" / "server").rglob("*.py")
    routes = [
        f"{method.upper()} {'/api' if source.stem in ('reading', 'operating') else ''}{path}"
        for source in sources
        for method, path in ROUTE.findall(source.read_text())
    ]

    assert len(routes) > 10
    assert [route for route in routes if f"`{ANY_ID.sub('<id>', route)}`" not in text] == []
    assert [command for command in COMMANDS if f"`{command}" not in text] == []


def test_every_filter_of_templates_is_documented() -> None:
    """The page for authors names every filter that a template may use."""
    text = (ROOT / "docs" / "authoring.md").read_text()

    assert [name for name in FILTERS if f"`{name}`" not in text] == []


def test_every_adapter_setting_is_documented() -> None:
    """The pages about adapters name every adapter of ours, with each of its settings."""
    text = "".join((ROOT / "docs" / page).read_text() for page in ("adapters.md", "aws-adapters.md", "aws-targets.md"))
    specs = [point.load() for point in entry_points(group=ADAPTERS) if point.value.startswith("runbook_adapters")]
    words = {word for spec in specs for word in (spec.name, *(each.encode_name for each in fields(spec.settings)))}

    assert len(specs) >= 13
    assert sorted(word for word in words if f"`{word}`" not in text) == []


def test_every_metric_is_documented() -> None:
    """The page for operators names every metric of the runner."""
    text = (ROOT / "docs" / "operating.md").read_text()
    entrypoints = ROOT / "runbook_engine" / "entrypoints"
    code = (entrypoints / "metrics.py").read_text() + (entrypoints / "server" / "health.py").read_text()
    metrics = set(re.findall(r"\"(runbook_[a-z_]+)\"", code))

    assert len(metrics) > 8
    assert sorted(metric for metric in metrics if f"`{metric}" not in text) == []


def test_committed_schema_is_the_generated_one() -> None:
    """What editors read is what the linter demands."""
    generated = _run(["runbook", "schema"], ROOT, "runbook schema")

    assert (ROOT / "docs" / "schema" / "runbook.v1.json").read_text() == generated


def _lay_out(page: Path, folder: Path) -> None:
    """Write every file of a page, and install its package if it has one."""
    for block in blocks_of(page):
        if "file" in block.settings:
            _written(block, folder)
        if block.settings.get("file") == "pyproject.toml":
            _install(block.text, folder)


def _written(block: Block, folder: Path) -> Path:
    file = folder / block.settings.get("file", f"block-{block.line}.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text)
    return file


def _install(project: str, folder: Path) -> None:
    """Do what pip does with entry points, so that the page's own package is found."""
    described = tomllib.loads(project)["project"]
    points = configparser.ConfigParser()
    points.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    points.read_dict(described.get("entry-points", {}))
    written = io.StringIO()
    points.write(written)
    info = folder / f"{described['name'].replace('-', '_')}-{described['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {described['name']}\nVersion: {described['version']}\n"
    )
    (info / "entry_points.txt").write_text(written.getvalue())


def _replay(block: Block, folder: Path) -> None:
    for command in commands_of(block):
        printed = _run(["sh", "-c", command.typed], folder, f"{block}: {command.typed}", command.code)
        if command.lines:
            shown = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
            assert command.pattern.fullmatch(shown), f"{block}: {command.typed} prints\n{shown}"


def _run(command: list[str], folder: Path, where: str, code: int = 0) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == code, f"{where} returned {done.returncode}, not {code}:\n{done.stdout}"
    return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    programs = Path(sys.executable).parent
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), str(ROOT / "adapters")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "RUNBOOK_OPERATOR": "ana",
    }


def _fields(schema: dict[str, object]) -> set[str]:
    """Return the names of every property anywhere in a JSON Schema."""
    found: set[str] = set()
    pending: list[object] = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            properties = part.get("properties")
            found |= set(properties) if isinstance(properties, dict) else set()
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return found


def _slug(heading: str) -> str:
    """Return a heading's anchor as forges make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")
