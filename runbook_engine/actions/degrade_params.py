"""What degrade sets: exactly one of a parameter, an entry of a ConfigMap, or an environment value."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from runbook_engine.actions.params import ActionParams

# What Parameter Store accepts, which every flag store can hold.
ABSOLUTE_NAME = re.compile(r"(?:/[A-Za-z0-9_.-]+){1,15}")
LONGEST_NAME = 1011
# What an API server accepts.
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]{0,252}")
CONTAINER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
CONFIG_MAP_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
KEY = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,253}")
ONE_OF = "write one of `parameter`, `env`, or `configMap` with `key`"
ENTRY = "entry "  # how a setting's text begins that is no plain value


class DegradeParams(ActionParams):
    """Which one value is set to what."""

    parameter: str | None = Field(None, description="A parameter's absolute name, as in /checkout/degraded_mode.")
    env: str | None = Field(None, description="The name of an environment value of the target; rolls it out.")
    container: str | None = Field(None, description="env: whose; needed when the target has several containers.")
    config_map: str | None = Field(None, description="The name of a ConfigMap in the target's namespace.")
    key: str | None = Field(None, description="configMap: which of its entries.")
    value: str = Field(description='The value to set, as text: quote it, as in "true".', max_length=4096)

    @field_validator("parameter")
    @classmethod
    def _absolute(cls, name: str | None) -> str | None:
        if name is not None and (not ABSOLUTE_NAME.fullmatch(name) or len(name) > LONGEST_NAME):
            raise ValueError(
                f"{name!r} is not a parameter's absolute name "
                "(letters, digits and _ . - between slashes, as in /checkout/degraded_mode)"
            )
        return name

    @field_validator("env")
    @classmethod
    def _environment(cls, name: str | None) -> str | None:
        return _fits(name, ENVIRONMENT_NAME, "the name of an environment value (as in DEGRADED_MODE)")

    @field_validator("container")
    @classmethod
    def _container(cls, name: str | None) -> str | None:
        return _fits(name, CONTAINER_NAME, "the name of a container (as in web)")

    @field_validator("config_map")
    @classmethod
    def _config_map(cls, name: str | None) -> str | None:
        return _fits(name, CONFIG_MAP_NAME, "the name of a ConfigMap (as in checkout-flags)")

    @field_validator("key")
    @classmethod
    def _key(cls, name: str | None) -> str | None:
        return _fits(name, KEY, "a key of a ConfigMap (as in degraded_mode)")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        named = [
            word
            for word, name in (("parameter", self.parameter), ("env", self.env), ("configMap", self.config_map))
            if name is not None
        ]
        if len(named) != 1:
            found = " and ".join(f"`{word}`" for word in named) or "none"
            raise ValueError(f"degrade sets one value, this names {found} ({ONE_OF})")
        if (self.key is not None) != (self.config_map is not None):
            raise ValueError(f"`configMap` and `key` belong together ({ONE_OF})")
        if self.container is not None and self.env is None:
            raise ValueError("`container` belongs to `env` (remove it)")
        if self.env is not None and self.value.startswith(ENTRY):
            raise ValueError(f"an environment value cannot begin with {ENTRY!r} (write another one)")
        if self.env is not None and "$(" in self.value:
            raise ValueError("an environment value cannot hold `$(`: Kubernetes would put another value in its place")
        return self


def _fits(name: str | None, pattern: re.Pattern[str], meaning: str) -> str | None:
    if name is not None and not pattern.fullmatch(name):
        raise ValueError(f"{name!r} is not {meaning}")
    return name
