"""How senders prove who they are: the ways in which a credential is presented, and who of AWS needs none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from runbook_engine.documents.document import Document, exactly_one
from runbook_engine.documents.field_types import Flag, Text, refuse
from runbook_engine.model.sender import HINT, SENDER_PATTERN, InvalidSender, parse_sender

TARGET_PATTERN: Final = r"^[a-z][A-Za-z]{0,31}=[^\s*@]+(@[^\s@]+)?$"
ABOUT_PATTERN: Final = r"^[a-z][A-Za-z]{0,31}=[^\s@]+$"
HEADER_PATTERN: Final = r"^[A-Za-z0-9-]{1,64}$"
USER_PATTERN: Final = r"^[^:\s]{1,128}$"
PREFIX_PATTERN: Final = r"^[A-Za-z0-9=:_-]{0,32}$"
_HEADER: Final = re.compile(HEADER_PATTERN)
_TAKEN: Final = frozenset(("authorization", "cookie", "proxy-authorization", "host", "content-length", "content-type"))


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise refuse("header-name", f'a header is named with letters, digits and dashes, not "{name}"')
    if name.lower() in _TAKEN:
        hint = "leave presentedAs out for a bearer token, write basic for a password"
        raise refuse("header-name", f"the header {name} has a meaning of its own", hint)
    return name


def _user(name: str) -> str:
    if not re.fullmatch(USER_PATTERN, name):
        raise refuse("user-name", f'the name of a user has no colon and no space: not "{name}"')
    return name


def _prefix(text: str) -> str:
    if not re.fullmatch(PREFIX_PATTERN, text):
        message = f'a prefix has letters, digits and = : _ -, at most 32: not "{text}"'
        raise refuse("signature-prefix", message, "write it as it stands before the signature, as in sha256=")
    return text


def _sender(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        parse_sender(text)
    except InvalidSender as error:
        raise refuse("sender", str(error), HINT) from error
    return text


def _target(text: str) -> str:
    if not re.fullmatch(TARGET_PATTERN, text):
        hint = "write deployment=apps/checkout or function=orders, and @PLACE behind it where there are several"
        raise refuse("about-target", f'"{text}" is not one target', hint)
    return text


def _pattern(text: str) -> str:
    if not re.fullmatch(ABOUT_PATTERN, text):
        hint = "write pipeline=checkout, application=checkout/prod, service=CLUSTER/checkout or environment=acme/*/prod"
        raise refuse("about-pattern", f'"{text}" names no foreign target', hint)
    return text


HeaderName = Annotated[str, AfterValidator(_header), Field(json_schema_extra={"pattern": HEADER_PATTERN})]
Prefix = Annotated[str, AfterValidator(_prefix), Field(json_schema_extra={"pattern": PREFIX_PATTERN})]
UserName = Annotated[str, AfterValidator(_user), Field(json_schema_extra={"pattern": USER_PATTERN})]
TargetText = Annotated[str, AfterValidator(_target), Field(json_schema_extra={"pattern": TARGET_PATTERN})]
AboutPattern = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra={"pattern": ABOUT_PATTERN})]
SenderText = Annotated[Text, BeforeValidator(_sender), Field(json_schema_extra={"pattern": SENDER_PATTERN})]


class SignatureDocument(Document):
    """An HMAC over the raw body; nothing of how it is made is read from the request."""

    header: HeaderName
    """The header that holds the signature, as in X-Hub-Signature-256."""
    prefix: Prefix = ""
    """What stands before it in the header, as in sha256=."""
    encoding: Literal["hex", "base64"] = "hex"
    """How it is written."""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    """The hash that it is made with."""
    timestamp: HeaderName | None = None
    """The header with the time of sending, which is signed too; absent = the body alone is signed."""
    separator: Literal[".", ":"] = "."
    """What is signed between the time and the body."""
    several: Flag = False
    """The header may hold a list, parted by commas, of which one must fit."""
    repeats: Flag = False
    """Without a time: the same body may come again, and begins nothing then; otherwise it is refused for a day."""

    @model_validator(mode="after")
    def _has_two_headers(self) -> Self:
        if self.timestamp is not None and self.timestamp.lower() == self.header.lower():
            raise refuse("header-twice", "the signature and its time stand in two headers", field="timestamp")
        if self.timestamp is not None and self.repeats:
            message = "a body that is signed with its time never comes twice"
            raise refuse("repeats-timed", message, "remove it", field="repeats")
        return self


class GrafanaDocument(Document):
    """The signature of Grafana's webhooks."""

    timestamp_header: HeaderName | None = None
    """The header that the contact point names for the time, which is signed too; absent = none is."""
    header: HeaderName = "X-Grafana-Alerting-Signature"
    """The header that holds the signature, if the contact point names another."""

    @model_validator(mode="after")
    def _has_two_headers(self) -> Self:
        if self.timestamp_header is not None and self.timestamp_header.lower() == self.header.lower():
            message = "the signature and its time stand in two headers"
            raise refuse("header-twice", message, field="timestampHeader")
        return self


class PresentedDocument(Document):
    """How a credential is presented, where it is no bearer token; a sender's name alone is that sender's signature."""

    model_config = ConfigDict(json_schema_extra=exactly_one("basic", "header", "signature", "grafana"))

    basic: UserName | None = None
    """The user whose password the secret is."""
    header: HeaderName | None = None
    """The header whose value the secret is."""
    signature: SignatureDocument | None = None
    """The secret is never sent: it signs the body."""
    grafana: GrafanaDocument | None = None
    """The secret signs the body as Grafana does it."""

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if len(self.model_fields_set) != 1:
            message = f"a credential is presented in one way, this one in {len(self.model_fields_set)}"
            raise refuse("presented", message, "write one of basic, header, signature, grafana")
        return self

    @property
    def signed(self) -> SignatureDocument | None:
        """How the body is signed, in whichever way it was said; None when it is not."""
        if self.grafana is None:
            return self.signature
        timestamp = self.grafana.timestamp_header
        return SignatureDocument(
            header=self.grafana.header, timestamp=timestamp, separator=":", repeats=timestamp is None
        )


def _known(value: Any) -> Any:
    """Return what a sender's name stands for; Grafana repeats a body word for word while nothing changes."""
    if not isinstance(value, str):
        return value
    if value not in KNOWN_SIGNATURES:
        hint = "write basic: USER, header: NAME or signature: {header: NAME}"
        raise refuse(
            "presented", f'"{value}" is no sender whose signature is known: {", ".join(KNOWN_SIGNATURES)}', hint
        )
    return KNOWN_SIGNATURES[value]


KNOWN_SIGNATURES: Final[Mapping[str, Any]] = {
    "github": {"signature": {"header": "X-Hub-Signature-256", "prefix": "sha256="}},
    "grafana": {"grafana": {}},
    "pagerduty": {"signature": {"header": "X-PagerDuty-Signature", "prefix": "v1=", "several": True}},
}
PresentedField = Annotated[
    PresentedDocument,
    BeforeValidator(_known, json_schema_input_type=Literal["github", "grafana", "pagerduty"] | PresentedDocument),
]
