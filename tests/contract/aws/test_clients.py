"""Clients: one session for the process, made late, by any number of threads, and as whoever engine.yaml says."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from runbook_adapters.aws.clients import AwsSettings, Clients, Sessions, clients_of
from runbook_adapters.aws.identity import identify
from runbook_adapters.aws.problems import touching
from runbook_engine.errors import NoAdapter, Permanent, Unreadable
from tests.contract.aws.account import (
    ACCOUNT,
    ENDPOINT,
    KEYS,
    NOW,
    REGION,
    account,
    context,
    environment,
    of_aws,
    refusal,
    service,
)
from tests.contract.http_service import Told

IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn>"
    "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
NO_ADDRESS = "is no address (write it as in http://127.0.0.1:4566, or leave it out)"
CORRECT = "(correct region: and role: in engine.yaml, or the AWS_ variables and the profile of the process)"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runbook-engine-acts"


def clients(**settings: str) -> Clients:
    """Return clients of a process of its own."""
    return Clients(msgspec.convert(settings, AwsSettings), Sessions())


def told(body: str) -> Told:
    """Return an answer in XML."""
    return of_aws(body.encode(), ("Content-Type", "text/xml"))


def test_client_is_one_when_many_threads_ask_at_once() -> None:
    """Sessions are not safe to build from several threads; clients are safe to use from them."""
    sessions = Sessions()
    settings = AwsSettings(region=REGION)

    with account(), ThreadPoolExecutor(8) as pool:
        built = list(pool.map(lambda _: sessions.client("sts", settings, "looking"), range(32)))

    assert 1 == len({id(client) for client in built})


def test_clients_differ_when_place_person_or_purpose_do() -> None:
    """What looks is not what touches, and a region or role is not another."""
    sessions = Sessions()
    plain, other = AwsSettings(region=REGION), AwsSettings(region="us-east-1")
    role = AwsSettings(region=REGION, role=ROLE)

    with account():
        built = [
            sessions.client("sts", plain, "looking"),
            sessions.client("sts", plain, "touching"),
            sessions.client("sts", other, "looking"),
            sessions.client("sts", role, "looking"),
        ]

    assert 4 == len({id(client) for client in built})
    assert [REGION, REGION, "us-east-1", REGION] == [client.meta.region_name for client in built]
    assert [4, 1] == [client.meta.config.retries["total_max_attempts"] for client in built[:2]]
    assert {3.0} == {client.meta.config.connect_timeout for client in built}


def test_sessions_are_shared_when_adapters_are_of_one_process() -> None:
    """What the ports of one vendor have in common is built once."""
    within = context()

    first, second = clients_of(within, AwsSettings(region=REGION)), clients_of(within, AwsSettings())

    assert first.sessions is second.sessions


def test_who_asks_is_said_when_no_role_is_given() -> None:
    """Account, region and name, as doctor shows them."""
    with account():
        said = identify(clients(region=REGION))

    assert f"account {ACCOUNT}, region {REGION}, as user/moto" == said


def test_role_is_assumed_when_it_is_given() -> None:
    """The calls are made as the role, under a name that the account's own log shows."""
    with account():
        said = identify(clients(region=REGION, role=ROLE))

    assert f"account {ACCOUNT}, region {REGION}, as assumed-role/runbook-engine-acts/runbook-engine" == said


def test_role_is_assumed_once_when_many_calls_are_made() -> None:
    """Credentials are fetched at the first call, and kept until they expire."""
    until = f"{NOW + timedelta(days=3650):%Y-%m-%dT%H:%M:%SZ}"
    assumed = (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>S"
        f"</SecretAccessKey><SessionToken>T</SessionToken><Expiration>{until}</Expiration></Credentials>"
        "</AssumeRoleResult></AssumeRoleResponse>"
    )
    with service() as running:
        running.answer = lambda asked: told(assumed if b"AssumeRole" in asked.body else IDENTITY)
        asking = clients(region=REGION, role=ROLE)
        before = len(running.asked)

        for _ in range(3):
            identify(asking)

    assert 0 == before
    assert [True, False, False, False] == [b"AssumeRole" in asked.body for asked in running.asked]


def test_role_that_may_not_be_assumed_is_said_when_it_is_used() -> None:
    """Not at the start, where one adapter's trouble would stop all others."""
    with service() as running:
        running.tell(refusal("AccessDenied", 403, "not authorized to perform: sts:AssumeRole"))
        asking = clients(region=REGION, role=ROLE)

        with pytest.raises(Unreadable) as caught:
            identify(asking)

    assert str(caught.value).startswith("who asks at AWS cannot be read: ")


@pytest.mark.parametrize(
    ("settings", "variables", "says"),
    [
        pytest.param(
            {},
            KEYS,
            "AWS ssm cannot be asked: no region is known "
            "(set region: beside the adapter in engine.yaml, or AWS_DEFAULT_REGION for the process)",
            id="no region",
        ),
        pytest.param(
            {"region": "eu central"},
            KEYS,
            "AWS ssm cannot be asked: Provided region_name 'eu central' doesn't match a supported format "
            "(correct region: and role: in engine.yaml, or the AWS_ variables and the profile of the process)",
            id="no such region",
        ),
        pytest.param(
            {"region": REGION},
            {**KEYS, "AWS_PROFILE": "gone"},
            "AWS ssm cannot be asked: The config profile (gone) could not be found "
            "(correct region: and role: in engine.yaml, or the AWS_ variables and the profile of the process)",
            id="no such profile",
        ),
        pytest.param(
            {"region": REGION, "role": ROLE},
            {"AWS_EC2_METADATA_DISABLED": "true"},
            "AWS ssm cannot be asked: Unable to locate credentials "
            "(correct region: and role: in engine.yaml, or the AWS_ variables and the profile of the process)",
            id="a role, and nobody to assume it",
        ),
    ],
)
def test_remedy_is_said_when_no_client_can_be_made(
    settings: dict[str, str], variables: dict[str, str], says: str
) -> None:
    """Which setting would mend it."""
    with environment(**variables), pytest.raises(NoAdapter) as caught:
        clients(**settings).looking("ssm")

    assert says == str(caught.value)


@pytest.mark.parametrize("switch", [pytest.param("", id="lean where it does"), pytest.param("boto3", id="boto3")])
@pytest.mark.parametrize("service_name", ["sts", "ssm"])
@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({ENDPOINT: "notaurl"}, f"{ENDPOINT} {NO_ADDRESS}", id="no URL"),
        pytest.param({ENDPOINT: "http://[::1"}, f"{ENDPOINT} {NO_ADDRESS}", id="half a URL"),
        pytest.param({ENDPOINT: "http://127.0.0.1:port"}, f"{ENDPOINT} {NO_ADDRESS}", id="a port that is none"),
        pytest.param(
            {f"{ENDPOINT}_SSM": "https://"}, f"{ENDPOINT}_SSM {NO_ADDRESS}", id="a service's own without host"
        ),
        pytest.param(
            {"AWS_CA_BUNDLE": "/nonexistent/ca.pem"},
            "AWS_CA_BUNDLE names /nonexistent/ca.pem, which cannot be read (correct it, or leave it out)",
            id="no such file of certificates",
        ),
        pytest.param(
            {"REQUESTS_CA_BUNDLE": "/nonexistent/ca.pem"},
            "REQUESTS_CA_BUNDLE names /nonexistent/ca.pem, which cannot be read (correct it, or leave it out)",
            id="no such file of certificates for everybody",
        ),
        *(
            pytest.param(
                {name: "AKIA\nhush"},
                f"{name} holds a character that no credential has (set it again, without line breaks)",
                id=f"a line break in {name}",
            )
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        ),
    ],
)
def test_variable_is_named_when_no_client_could_use_it(
    variables: dict[str, str], says: str, service_name: str, switch: str
) -> None:
    """Whichever client is asked, before anything is sent, and never with a credential's value."""
    with environment(**{**KEYS, "RUNBOOK_AWS_CLIENT": switch, **variables}), pytest.raises(NoAdapter) as caught:
        clients(region=REGION).looking(service_name)

    assert says == str(caught.value)


def test_address_of_a_file_is_told_when_it_is_none(tmp_path: Path) -> None:
    """No variable names it: the library's own words do."""
    file = tmp_path / "config"
    file.write_text("[default]\nendpoint_url = notaurl\n")

    with environment(**{**KEYS, "AWS_CONFIG_FILE": str(file)}), pytest.raises(NoAdapter) as caught:
        clients(region=REGION).looking("sts")

    assert f"AWS sts cannot be asked: Invalid endpoint: notaurl {CORRECT}" == str(caught.value)


def test_credential_of_a_file_is_not_quoted_when_no_header_takes_it(tmp_path: Path) -> None:
    """The HTTP library quotes the whole header; a line that goes on in the next is easily written."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIA\n  hush\naws_secret_access_key = secret\n")

    with (
        environment(AWS_SHARED_CREDENTIALS_FILE=str(file), AWS_ENDPOINT_URL="http://127.0.0.1:9"),
        pytest.raises(Unreadable) as caught,
    ):
        identify(clients(region=REGION))

    says = "who asks at AWS cannot be read: a credential holds a character that no header takes"
    assert f"{says} (set it again, without line breaks)" == str(caught.value)
    assert "hush" not in "".join(traceback.format_exception(caught.value))


def test_change_is_surely_not_made_when_no_header_takes_a_credential(tmp_path: Path) -> None:
    """Nothing was sent: a person mends it, nobody has to look."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIA\n  hush\naws_secret_access_key = secret\n")

    with (
        environment(AWS_SHARED_CREDENTIALS_FILE=str(file), AWS_ENDPOINT_URL="http://127.0.0.1:9"),
        pytest.raises(Permanent) as caught,
        touching("setting /a"),
    ):
        clients(region=REGION).touching("ssm").put_parameter(Name="/a", Value="b", Type="String")

    says = "setting /a: a credential holds a character that no header takes (set it again, without line breaks)"
    assert says == str(caught.value)


def test_region_is_the_process_own_when_none_is_given() -> None:
    """As in a function, whose environment names it."""
    with environment(**KEYS, AWS_DEFAULT_REGION="eu-west-3"):
        assert "eu-west-3" == clients().looking("ssm").meta.region_name


def test_nothing_of_the_library_is_loaded_when_adapters_are_built() -> None:
    """boto3 costs a second of a cold start; an adapter that is never asked costs nothing."""
    code = """
        import sys
        from pathlib import Path
        import msgspec
        from runbook_engine.model.configuration import Configuration
        from runbook_engine.ports import AdapterContext
        from runbook_engine.registry import Registry

        class Clock:
            def now(self): ...

        context = AdapterContext(
            clock=Clock(), configuration=Configuration(), base=Path(), state=Path(), secret=lambda reference: ""
        )
        topic = "arn:aws:sns:eu-central-1:123456789012:oncall"
        for name, port, settings in (
            ("ssm", "flags", {}), ("ssm", "pause", {"parameter": "/p"}), ("ssm", "secrets", {}),
            ("sns", "receiver", {"topic": topic}), ("eventbridge", "bus", {"bus": "b"}),
            ("stepfunctions", "callbacks", {}), ("s3", "bundles", {"bucket": "b", "key": "k", "digest": "0" * 64}),
        ):
            spec = Registry().adapter(name)
            spec.build(port, msgspec.convert(settings, spec.settings), context)
        print([name for name in ("boto3", "botocore") if name in sys.modules])
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=180
    )

    assert (0, "[]\n") == (done.returncode, done.stdout), done.stderr
