"""Certificates that the environment names, and that are none: told by variable and file before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_adapters.aws.clients import AwsSettings, Sessions
from runbook_engine.errors import NoAdapter

BROKEN = "-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hush"}


@pytest.mark.parametrize("switch", [pytest.param("", id="lean where it does"), pytest.param("boto3", id="boto3")])
@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param("hello", id="no PEM"),
        pytest.param("", id="nothing"),
        pytest.param(BROKEN, id="PEM around nonsense"),
    ],
)
def test_file_of_certificates_is_named_when_it_holds_none(content: str, name: str, switch: str, tmp_path: Path) -> None:
    """Each time: a client that trusts nobody is not kept."""
    file = tmp_path / "ca.pem"
    file.write_text(content)
    sessions = Sessions({**KEYS, "RUNBOOK_AWS_CLIENT": switch, name: str(file)})

    for purpose in ("looking", "touching"):
        with pytest.raises(NoAdapter) as caught:
            sessions.client("ssm", AwsSettings(region="eu-central-1"), purpose)

        assert (
            f"{name} names {file}, which holds no certificates that can be read "
            "(name a file of certificates in PEM, or leave it out)"
        ) == str(caught.value)
