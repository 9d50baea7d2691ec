"""The benchmark of cold starts, over the zip of these tests: what it measures is an alert that was taken."""

import sysconfig
from pathlib import Path

import pytest

from benchmarks.cold_start import BOTO3, probe


@pytest.mark.parametrize("client", [(), (BOTO3,)], ids=["lean", "boto3"])
def test_a_measured_start_takes_its_alert(zip_folder: Path, client: tuple[str, ...]) -> None:
    """The AWS that answers there at once is believed by both clients; it raises where the answer is no 202."""
    told = probe(("ingest", *client), zip_folder, Path(sysconfig.get_path("purelib")))

    assert [] == told["heavy"]
