"""serve and demo: what is needed before they start."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.entrypoints.cli import serve as serving
from runbook_engine.entrypoints.cli.demo import find_shipped
from runbook_engine.entrypoints.cli.failure import UsageError
from tests.unit.cli.desks import Sitting


def test_serving_without_its_extra_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base installation has no web server."""
    monkeypatch.setattr(serving, "NEEDED", ("flask_is_not_here",))

    result = Sitting(tmp_path).run("serve")

    assert 3 == result.code
    assert "runbook: serving needs flask_is_not_here (install runbook-engine[server])\n" == result.err


def test_serving_with_wrong_runbooks_starts_nothing(tmp_path: Path) -> None:
    """Every error, and exit 2."""
    (tmp_path / "bad.yaml").write_text("kind: Runbok\n")

    result = Sitting(tmp_path).run("serve", "--runbooks", str(tmp_path), "--port", "0")

    assert 2 == result.code
    assert f"{tmp_path}/bad.yaml:1:7: error: unknown kind" in result.err


@pytest.mark.parametrize(
    ("runbooks", "shop"),
    [("package/shipped/runbooks", "package/shipped/checkout"), ("runbooks", "apps/checkout")],
    ids=["an installed wheel", "a checkout"],
)
def test_the_demo_finds_its_files(tmp_path: Path, runbooks: str, shop: str) -> None:
    """Beside the code in a wheel, at the root of a checkout."""
    (tmp_path / runbooks).mkdir(parents=True)
    (tmp_path / shop).mkdir(parents=True)

    assert (tmp_path / runbooks, tmp_path / shop) == find_shipped(tmp_path / "package")


def test_the_demo_without_its_files_says_so(tmp_path: Path) -> None:
    """Half an installation is no demo."""
    with pytest.raises(UsageError) as caught:
        find_shipped(tmp_path / "package")

    assert "the demo's files are not installed: install the wheel, or run it from a checkout" == str(caught.value)
