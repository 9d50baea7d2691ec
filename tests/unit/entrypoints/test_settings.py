"""Settings: where they come from, and where secrets are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.entrypoints.settings import InvalidSettings, Settings, read_settings
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference


def test_a_flag_wins_over_the_environment_and_that_over_the_default(tmp_path: Path) -> None:
    """What a person typed is closest to what they want."""
    environment = {"RUNBOOK_STATE": str(tmp_path / "from-environment"), "RUNBOOK_SERVER": "http://there:1/"}

    given = read_settings(state=tmp_path / "given", environment=environment)
    silent = read_settings(environment=environment)
    bare = read_settings(environment={})

    assert tmp_path / "given" == given.state
    assert tmp_path / "from-environment" == silent.state
    assert "http://there:1" == silent.server
    assert Path(".runbook").absolute() == bare.state


def test_engine_yaml_beside_the_runbooks_is_used_when_it_is_there(tmp_path: Path) -> None:
    """Nobody has to name the usual file, and its absence is no error."""
    before = read_settings(runbooks=tmp_path, environment={}).config
    (tmp_path / "engine.yaml").write_text("")

    assert before is None
    assert tmp_path / "engine.yaml" == read_settings(runbooks=tmp_path, environment={}).config


def test_a_configuration_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    """A typing error must not start an engine with the defaults."""
    with pytest.raises(InvalidSettings) as caught:
        read_settings(config=tmp_path / "enigne.yaml", environment={})

    assert f"there is no configuration {tmp_path / 'enigne.yaml'} (correct --config or RUNBOOK_CONFIG)" == str(
        caught.value
    )


def test_neither_token_nor_environment_is_shown_by_the_settings() -> None:
    """Settings end up in tracebacks."""
    settings = read_settings(environment={"RUNBOOK_TOKEN": "hush-hush", "DATABASE_PASSWORD": "hush-hush"})

    assert "hush-hush" == settings.token
    assert "hush-hush" not in repr(settings)


def test_a_secret_is_read_from_the_environment_or_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    """Both forms mean the same."""
    (tmp_path / "token").write_text("from the file\n")
    settings = Settings(config=tmp_path / "engine.yaml", environment={"NAME": "from the environment"})

    assert "from the environment" == settings.secret(SecretReference(env="NAME"))
    assert "from the file" == settings.secret(SecretReference(file="token"))


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        pytest.param(
            SecretReference(env="GONE"), "the secret {env: GONE} is not set (export GONE before starting)", id="not set"
        ),
        pytest.param(
            SecretReference(file="gone"),
            "the secret file FOLDER/gone cannot be read: No such file or directory "
            "(check the path and who may read it)",
            id="no such file",
        ),
        pytest.param(
            SecretReference(file="empty"),
            "the secret file FOLDER/empty is empty (it holds the secret and nothing else)",
            id="empty file",
        ),
        pytest.param(
            SecretReference(file="binary"),
            "the secret file FOLDER/binary is not text (it holds the secret and nothing else)",
            id="binary file",
        ),
    ],
)
def test_a_secret_that_is_not_there_says_what_to_do(reference: SecretReference, sentence: str, tmp_path: Path) -> None:
    """The sentence names the place, never a value."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    settings = Settings(config=tmp_path / "engine.yaml")

    with pytest.raises(NoAdapter) as caught:
        settings.secret(reference)

    assert sentence.replace("FOLDER", str(tmp_path)) == str(caught.value)
