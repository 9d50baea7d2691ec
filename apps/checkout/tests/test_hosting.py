"""The two files that a server reads: gunicorn.conf.py and wsgi.py."""

import json
import logging
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.values import MultiProcessValue

HERE = Path(__file__).parents[1]
VARIABLES = ("BIND", "WORKERS", "THREADS", "GRACEFUL_TIMEOUT", "PROMETHEUS_MULTIPROC_DIR", "ERROR_RATE")


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable from outside, and the logger given back as it was."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "to be removed again, also when a file sets it")
        monkeypatch.delenv(name)
    monkeypatch.syspath_prepend(str(HERE))
    logger = logging.getLogger("checkout")
    before = (logger.handlers, logger.level, logger.propagate)
    yield
    logger.handlers, logger.level, logger.propagate = before[0], before[1], before[2]


def read_configuration() -> SimpleNamespace:
    """Read gunicorn.conf.py as gunicorn does."""
    return SimpleNamespace(**runpy.run_path(str(HERE / "gunicorn.conf.py")))


def test_configuration_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every knob of the server is a variable."""
    monkeypatch.setenv("BIND", "127.0.0.1:9999")
    monkeypatch.setenv("WORKERS", "5")
    monkeypatch.setenv("THREADS", "3")
    monkeypatch.setenv("GRACEFUL_TIMEOUT", "7")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    read = read_configuration()

    assert ("127.0.0.1:9999", 5, 3, 7) == (read.bind, read.workers, read.threads, read.graceful_timeout)
    assert tmp_path == read.metrics_folder


def test_configuration_keeps_the_metrics_folder_when_read_again() -> None:
    """HUP reads the file again; the counters must stay where they are."""
    assert read_configuration().metrics_folder == read_configuration().metrics_folder


def test_start_empties_the_metrics_folder_of_figures_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Figures of an earlier master go, a stranger's file stays."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"old")
    (folder / "notes.txt").write_text("mine")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))

    read_configuration().on_starting(None)

    assert ["notes.txt"] == [path.name for path in folder.iterdir()]


def test_exit_of_a_worker_removes_its_gauges_and_keeps_its_counters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a dead worker counted still happened; what it was is over."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    value = MultiProcessValue(lambda: 4711)
    value("gauge", "mode", "mode", (), (), "", multiprocess_mode="livemostrecent")
    value("counter", "requests", "requests_total", (), (), "")

    read_configuration().child_exit(None, SimpleNamespace(pid=4711))

    assert ["counter_4711.db"] == [path.name for path in tmp_path.iterdir()]


REASON = 'ERROR_RATE="lots" is not a number from 0 to 1: correct it or leave it out'


def test_master_ends_with_code_3_when_a_setting_is_bad(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No worker is started at all, and the log says why."""
    monkeypatch.setenv("ERROR_RATE", "lots")
    configuration = read_configuration()

    with pytest.raises(SystemExit) as caught:
        configuration.on_starting(None)

    assert caught.value.code == 3
    assert [REASON] == [record.__dict__["reason"] for record in caplog.records]


def test_worker_ends_with_code_3_when_a_setting_is_bad(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under any other configuration gunicorn gives up instead of trying for ever, and the log says why."""
    monkeypatch.setenv("ERROR_RATE", "lots")

    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(HERE / "wsgi.py"))

    assert caught.value.code == 3
    assert json.loads(capsys.readouterr().err)["reason"] == REASON


def test_wsgi_offers_the_service_with_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server finds a ready application under the usual name."""
    monkeypatch.setenv("RELEASE", "r7")

    app = runpy.run_path(str(HERE / "wsgi.py"))["app"]

    assert app.test_client().get("/healthz").get_json()["release"] == "r7"
