"""Choosing a client: the lean one where nothing is out of the ordinary, boto3 for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from runbook_adapters.aws.clients import AwsSettings, Clients, Sessions
from runbook_adapters.aws.lean.choosing import Place, place_of
from runbook_adapters.aws.lean.client import LeanClient
from runbook_engine.errors import NoAdapter
from tests.contract.aws.account import KEYS, REGION, environment

ORDINARY = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "s",
    "AWS_DEFAULT_REGION": REGION,
    "HOME": "/nonexistent",
}
SERVICES = ("dynamodb", "events", "ssm", "stepfunctions")


@pytest.mark.parametrize("service", SERVICES)
def test_place_is_the_one_that_boto3_asks(service: str) -> None:
    """In partitions whose addresses end differently."""
    session = boto3.Session("a", "s")

    for region in ("ap-southeast-2", "cn-north-1"):  # the third partition ends as the first
        theirs = session.client(service, region_name=region).meta.endpoint_url
        ours = place_of(service, region, ORDINARY)
        assert ours is not None
        assert (ours.url, ours.region) == (f"{theirs}/", region)


def test_every_region_is_served_whose_addresses_end_as_usual() -> None:
    """The others are left to boto3, which knows how theirs end."""
    session = boto3.Session("a", "s")
    ordinary = ("aws", "aws-cn", "aws-us-gov")

    for partition in session.get_available_partitions():
        for region in session.get_available_regions("ssm", partition_name=partition):
            assert (place_of("ssm", region, ORDINARY) is not None) == (partition in ordinary), region


@pytest.mark.parametrize(
    "unusual",
    [
        pytest.param({"RUNBOOK_AWS_CLIENT": "boto3"}, id="boto3 is wished for"),
        pytest.param({"AWS_ACCESS_KEY_ID": ""}, id="no credentials in the environment"),
        pytest.param({"AWS_SECRET_ACCESS_KEY": ""}, id="half of the credentials"),
        pytest.param({"AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00Z"}, id="credentials that are renewed"),
        pytest.param({"AWS_PROFILE": "work"}, id="a profile"),
        pytest.param({"AWS_USE_FIPS_ENDPOINT": "true"}, id="FIPS"),
        pytest.param({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, id="dual stack"),
        pytest.param({"https_proxy": "http://proxy:3128"}, id="a proxy"),
        pytest.param({"AWS_DEFAULT_REGION": ""}, id="no region"),
        pytest.param({"AWS_DEFAULT_REGION": "us-isob-east-1"}, id="a region of another suffix"),
        pytest.param({"AWS_DEFAULT_REGION": "eu-west-1.evil.example/"}, id="no region at all"),
        pytest.param({"AWS_ENDPOINT_URL": "http://user:word@127.0.0.1"}, id="a password in an address"),
        pytest.param({"AWS_ENDPOINT_URL": "ftp://127.0.0.1"}, id="an address of something else"),
    ],
)
def test_boto3_is_left_to_it_when_something_is_out_of_the_ordinary(unusual: dict[str, str]) -> None:
    """What only boto3 does is not half done."""
    assert place_of("ssm", "", ORDINARY) is not None
    assert place_of("ssm", "", {**ORDINARY, **unusual}) is None


def test_boto3_is_left_to_it_when_there_is_a_configuration_file(tmp_path: Path) -> None:
    """It may say anything: another endpoint, other credentials, other retries."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[default]\n")

    assert place_of("ssm", "", {**ORDINARY, "HOME": str(tmp_path)}) is None
    assert place_of("ssm", "", {**ORDINARY, "AWS_CONFIG_FILE": str(folder / "config")}) is None
    assert place_of("ssm", "", {**ORDINARY, "HOME": str(tmp_path), "AWS_CONFIG_FILE": "/dev/null"}) is not None


def test_place_is_the_named_one_when_an_endpoint_is() -> None:
    """That of the service before that of all services."""
    named = {**ORDINARY, "AWS_ENDPOINT_URL": "http://127.0.0.1:1/all", "AWS_ENDPOINT_URL_SFN": "http://127.0.0.1:2"}

    assert place_of("ssm", "", named) == Place("http://127.0.0.1:1/all/", "127.0.0.1:1", "/all/", REGION)
    assert place_of("stepfunctions", "", named) == Place("http://127.0.0.1:2/", "127.0.0.1:2", "/", REGION)


def test_wrong_switch_is_said() -> None:
    """Whoever misspells it does not get the other one in silence."""
    with pytest.raises(NoAdapter) as caught:
        place_of("ssm", "", {**ORDINARY, "RUNBOOK_AWS_CLIENT": "botto3"})

    assert str(caught.value) == "RUNBOOK_AWS_CLIENT is 'botto3', which is no client (set it to boto3, or leave it out)"


def made(service: str, **settings: Any) -> Any:
    """Return a client of a new process."""
    return Clients(AwsSettings(region=REGION, **settings), Sessions()).looking(service)


def test_client_is_lean_only_where_it_serves() -> None:
    """Other services, and other roles, are boto3's."""
    with environment(**KEYS):
        assert [isinstance(made(service), LeanClient) for service in SERVICES] == [True] * 4
        assert not isinstance(made("sts"), LeanClient)
        assert not isinstance(made("ssm", role="arn:aws:iam::123456789012:role/other"), LeanClient)


def test_boto3_makes_the_call_when_the_lean_client_does_not_know_it() -> None:
    """Whatever boto3 has is there, under the same names."""
    with environment(**KEYS):
        client = made("ssm")

        assert client.describe_parameters.__self__.meta.region_name == REGION
        assert client.get_paginator("describe_parameters") is not None
        assert client.meta.region_name == REGION
        with pytest.raises(AttributeError):
            client.no_such_call  # noqa: B018  # asking is what fails
