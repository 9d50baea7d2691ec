"""The zip of the AWS host: all that the functions need, nothing else, and the same bytes from the same sources."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.lambda_zip import NAME, ROOT, build_zip, shared_folder, shared_zip, write_sources

pytestmark = pytest.mark.xdist_group("zip")  # the others wait while it is built

MEBIBYTE = 1024 * 1024
MOST_ZIPPED = 12 * MEBIBYTE
MOST_UNPACKED = 30 * MEBIBYTE
ABSENT = ("boto3", "botocore", "flask", "gunicorn", "kubernetes", "prometheus_client", "pytest", "rich", "yaml")
UNUSED = ("runbook_engine/entrypoints/cli/", "runbook_engine/entrypoints/server/", "runbook_engine/shipped/")
HANDLERS = ("ingest", "drive", "approve", "sweep")
UNCHECKED = b"\x01\x00\x00\x00"  # bytecode that is named by a hash of its source, which is not read again


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip of this test run."""
    return shared_zip(tmp_path_factory)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, as Lambda unpacks it."""
    return shared_folder(tmp_path_factory)


@pytest.fixture
def archive(built: Path) -> Iterator[zipfile.ZipFile]:
    """The zip, open for reading."""
    with zipfile.ZipFile(built) as opened:
        yield opened


def run_in(folder: Path, code: str) -> str:
    """Run code that sees the unpacked zip and the standard library; return what it printed."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_zip_is_small(built: Path, archive: zipfile.ZipFile) -> None:
    """What is large is slow to load, and 50 MiB is all that Lambda takes directly."""
    assert built.stat().st_size <= MOST_ZIPPED
    assert sum(entry.file_size for entry in archive.infolist()) <= MOST_UNPACKED


def test_report_says_how_large_it_is_and_what_makes_it_so(built: Path) -> None:
    """Whoever adds a dependency sees what it costs."""
    said = (built.parent / "done").read_text().splitlines()

    summary = next(line for line in said if line.startswith(str(built)))
    assert f"{built.stat().st_size / MEBIBYTE:.1f} MiB zipped" in summary
    assert any("MiB  pydantic_core" in line for line in said)


@pytest.mark.parametrize("package", ABSENT)
def test_zip_holds_no_package_that_no_function_needs(archive: zipfile.ZipFile, package: str) -> None:
    """What the runtime brings, what only authors use, and the clients that were written instead."""
    tops = {name.split("/")[0] for name in archive.namelist()}

    assert not {top for top in tops if top == package or top.startswith((f"{package}-", f"{package}."))}


def test_zip_holds_no_part_of_ours_that_only_the_command_line_uses(archive: zipfile.ZipFile) -> None:
    """Neither the demo, nor the server, nor what works on a machine of one's own."""
    assert [name for name in archive.namelist() if name.startswith(UNUSED)] == []


def test_zip_says_nothing_of_the_machine_that_built_it(built: Path, archive: zipfile.ZipFile) -> None:
    """No path, no record of an installation, no date."""
    home = str(Path.home())
    private = [str(ROOT), sys.prefix, str(built.parent), *([f"{home}/"] if len(home) > len("/root") else [])]
    traces = [path.encode() for path in private]

    telling = [entry.filename for entry in archive.infolist() if any(trace in archive.read(entry) for trace in traces)]

    assert telling == []
    named = ("RECORD", "direct_url.json", "INSTALLER", "uv_cache.json")
    assert [name for name in archive.namelist() if name.rpartition("/")[2] in named] == []
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_every_module_has_bytecode_that_is_taken_as_it_is(archive: zipfile.ZipFile) -> None:
    """A function cannot write bytecode, and would compile all of it at every cold start."""
    tag = sys.implementation.cache_tag
    names = set(archive.namelist())
    sources = [name for name in names if name.endswith(".py")]
    wanted = {
        name: f"{name.rpartition('/')[0]}/__pycache__/{Path(name).stem}.{tag}.pyc".lstrip("/") for name in sources
    }

    assert [name for name, compiled in wanted.items() if compiled not in names] == []
    heads = [archive.read(compiled)[:8] for compiled in wanted.values()]
    assert {head[:4] for head in heads} == {importlib.util.MAGIC_NUMBER}
    assert {head[4:] for head in heads} == {UNCHECKED}


def test_every_handler_is_there(folder: Path) -> None:
    """Under the names that the Terraform modules give to Lambda."""
    code = (
        f"import runbook_engine.entrypoints.aws_lambda as host; print([callable(getattr(host, n)) for n in {HANDLERS}])"
    )

    assert run_in(folder, code) == "[True, True, True, True]"


@pytest.mark.parametrize(
    "adapter", ["dynamodb", "ssm", "sns", "eventbridge", "stepfunctions", "s3", "lambda", "sqs", "kubernetes"]
)
def test_adapters_are_found_through_their_entry_points(folder: Path, adapter: str) -> None:
    """Without its *.dist-info a zip has no adapter at all."""
    code = f"from runbook_engine.registry import Registry; print(Registry().adapter({adapter!r}).name)"

    assert run_in(folder, code) == adapter


def test_every_action_can_be_loaded(folder: Path) -> None:
    """None of them needs a package that stayed out."""
    from runbook_engine.registry import Registry

    found = run_in(folder, "from runbook_engine.registry import Registry; print(' '.join(Registry().actions))")

    assert found.split() == list(Registry().actions)


def digest_of(path: Path) -> str:
    """The digest of a file: of megabytes that differ there is nothing to read."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_sources_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """So that a digest tells whether anything has changed, and a plan shows no change where there is none."""
    again = build_zip(tmp_path, write_sources(tmp_path / "runbooks"))

    assert again.returncode == 0, again.stderr
    assert digest_of(tmp_path / NAME) == digest_of(built)


def test_a_missing_interpreter_is_said_with_its_remedies(tmp_path: Path) -> None:
    """A zip without bytecode would be three to five times as slow to start, so nobody gets one unasked."""
    failed = build_zip(tmp_path / "out", write_sources(tmp_path / "runbooks"), "--python", "3.99")

    assert failed.returncode == 1
    assert failed.stderr == (
        "lambda_zip: no Python 3.99 is here to make its bytecode (install python3.99, name another version with "
        "--python, or build without with --no-bytecode)\n"
    )
    assert not (tmp_path / "out").exists()


def test_invalid_runbooks_are_never_packed(tmp_path: Path) -> None:
    """The build fails with what lint says, and leaves no zip."""
    sources = write_sources(tmp_path / "runbooks")
    (sources / "shed.yaml").write_text((sources / "shed.yaml").read_text().replace("action: degrade", "action: degrad"))

    failed = build_zip(tmp_path / "out", sources)

    assert failed.returncode == 1
    assert "degrad" in failed.stderr + failed.stdout
    assert list((tmp_path / "out").glob("*.zip")) == []


def test_versions_are_those_of_the_lock(archive: zipfile.ZipFile) -> None:
    """What is tested is what is shipped."""
    lock = (ROOT / "requirements.lock").read_text()
    shipped = {
        name.removesuffix(".dist-info").rpartition("-")[::2]
        for name in {path.split("/")[0] for path in archive.namelist()}
        if name.endswith(".dist-info") and not name.startswith("runbook_engine-")
    }

    assert shipped
    assert [name for name, version in shipped if f"{name.replace('_', '-')}=={version}" not in lock] == []


def test_a_bundle_that_no_function_starts_with_is_said_at_the_build(tmp_path: Path) -> None:
    """Not first in the night; the zip is built all the same, since a bucket may have another bundle."""
    sources = write_sources(tmp_path / "runbooks")
    config = sources / "engine.yaml"
    config.write_text("\n".join(line for line in config.read_text().splitlines() if not line.startswith("  pause:")))

    built = build_zip(tmp_path, sources, "--no-bytecode")

    assert built.returncode == 0
    assert built.stderr.strip().splitlines()[0] == (
        "lambda_zip: no function starts with the bundle of this zip: nothing serves pause, and a function keeps "
        "nothing by itself (name one in engine.yaml, as in adapters: "
        "{pause: {adapter: ssm, parameter: /runbook-engine/pause}})"
    )
    assert (tmp_path / NAME).exists()
