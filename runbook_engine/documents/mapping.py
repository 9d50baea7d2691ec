"""A mapping of engine.yaml: where a sender's JSON says what an alert must say, so that no code is needed for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from runbook_engine.documents.document import Document, exactly_one
from runbook_engine.documents.field_types import Flag, Text, refuse
from runbook_engine.model.alert import Severity
from runbook_engine.model.mapping import LINKS, POINTER_PATTERN, InvalidPointer, TimeFormat, parse_pointer

POINTER_HINT: Final = (
    "write a slash before every key, as in /incident/state, and body: before it to read from the whole body"
)
MOST_WORDS: Final = 64
MOST_PLACES: Final = 8
MappedStatus = Literal["firing", "resolved", "nodata", "suppressed", "unknown", "ignore"]


def _pointer(text: str) -> str:
    try:
        parse_pointer(text)
    except InvalidPointer as error:
        raise refuse("pointer", str(error), POINTER_HINT) from error
    return text


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _as_map(value: Any) -> Any:
    return {"from": value} if isinstance(value, str | list) else value


def _word(value: Any) -> Any:
    """A word is what JSON may hold there: a text, a number or a truth."""
    return value if isinstance(value, str) or not isinstance(value, int | float) else json.dumps(value)


def _label(name: str) -> str:
    if name == "alertname":
        raise refuse("mapped-label", 'the label "alertname" is the name of the alert', "write name: with its place")
    return name


def _link(name: str) -> str:
    if name not in LINKS:
        raise refuse("mapped-link", f'unknown link "{name}"', f"known: {', '.join(LINKS)}")
    return name


def _distinct(words: Mapping[str, Any]) -> Mapping[str, Any]:
    seen: dict[str, str] = {}
    for word in words:
        other = seen.setdefault(word.strip().lower(), word)
        if other != word:
            raise refuse("mapped-word", f'"{other}" and "{word}" are one word: capitals do not count', "keep one")
    return words


PointerText = Annotated[str, AfterValidator(_pointer), Field(json_schema_extra={"pattern": POINTER_PATTERN})]
Word = Annotated[str, BeforeValidator(_word, json_schema_input_type=str | int | float | bool)]
LabelName = Annotated[Text, AfterValidator(_label)]
LinkName = Annotated[str, AfterValidator(_link), Field(json_schema_extra={"enum": list(LINKS)})]
_SeveralPlaces = Annotated[tuple[PointerText, ...], Field(min_length=1, max_length=MOST_PLACES)]
_SeveralWords = Annotated[tuple[Word, ...], Field(min_length=1, max_length=MOST_WORDS)]
Places = Annotated[_SeveralPlaces, BeforeValidator(_as_list, json_schema_input_type=PointerText | _SeveralPlaces)]
Words = Annotated[_SeveralWords, BeforeValidator(_as_list, json_schema_input_type=Word | _SeveralWords)]


class ChoiceDocument(Document):
    """Where a text comes from; a pointer alone, or a list of pointers, is short for `from`."""

    model_config = ConfigDict(json_schema_extra=exactly_one("from", "value"))

    places: Places = Field(default=(), alias="from")
    """The place, or several of which the first counts that has anything."""
    value: Text | None = None
    """A text that is always the same."""
    words: Annotated[Mapping[str, Text], AfterValidator(_distinct), Field(max_length=MOST_WORDS)] = {}
    """What the sender's words stand for; capitals do not count."""
    otherwise: Text | None = None
    """What it is when there is nothing, or a word that stands for nothing."""
    required: Flag = False
    """Without it the alert is refused."""

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if bool(self.places) == (self.value is not None):
            raise refuse(
                "mapped-value", 'this is either read "from" a place or always one "value"', "write one of them"
            )
        for field in ("words", "otherwise", "required"):
            if self.value is not None and field in self.model_fields_set:
                raise refuse("mapped-value", f'"{field}" has no meaning beside "value"', "remove it", field)
        if self.required and self.otherwise is not None:
            raise refuse("mapped-value", 'what has an "otherwise" is never missing', 'remove "required"', "required")
        return self


class StatusDocument(ChoiceDocument):
    """Where an alert says whether it fires."""

    value: MappedStatus | None = None
    """For a sender that tells of one status only."""
    words: Annotated[Mapping[str, MappedStatus], AfterValidator(_distinct), Field(max_length=MOST_WORDS)] = {}
    """What the sender's words mean; ignore = this is no alert."""
    otherwise: MappedStatus | None = None
    """What any other word means; unknown when absent."""


class SeverityDocument(ChoiceDocument):
    """Where an alert says how severe it is."""

    value: Severity | None = None
    """For a sender whose alerts are all alike."""
    words: Annotated[Mapping[str, Severity], AfterValidator(_distinct), Field(max_length=MOST_WORDS)] = {}
    """What the sender's words mean, where they are not the usual ones."""
    otherwise: Severity | None = None
    """What it is when nothing is told."""


class SpreadDocument(Document):
    """A map, or a list of tags, of which every entry becomes a label."""

    place: PointerText = Field(alias="from")
    """Where it is."""
    prefix: str = ""
    """What stands before the names of these labels."""


def _choice(kind: type[ChoiceDocument]) -> BeforeValidator:
    return BeforeValidator(_as_map, json_schema_input_type=PointerText | tuple[PointerText, ...] | kind)


ChoiceField = Annotated[ChoiceDocument, _choice(ChoiceDocument)]
StatusField = Annotated[StatusDocument, _choice(StatusDocument)]
SeverityField = Annotated[SeverityDocument, _choice(SeverityDocument)]

_Parts = Annotated[tuple[ChoiceField, ...], Field(max_length=MOST_PLACES)]
Identity = Annotated[_Parts, BeforeValidator(_as_list, json_schema_input_type=ChoiceField | _Parts)]


class MappingDocument(Document):
    """How the JSON of one sender becomes alerts, by JSON Pointers and lists of words."""

    alerts: PointerText = ""
    """Where the list of alerts is, or the one alert; the whole body when absent."""
    expect: Mapping[PointerText, Words] = {}
    """What every alert of this sender says at a place, as one of these words; any other is refused."""
    ignore: Mapping[PointerText, Words] = {}
    """What tells a test or a note from an alert: at any of these places one of these words."""
    kind: Literal["alert", "event"] = "alert"
    """event: a point in time, which starts no runbook."""
    name: ChoiceField
    """The name of the alert, which is its label alertname."""
    status: StatusField
    """Whether it fires."""
    identity: Identity = ()
    """What is the same from its beginning to its end, as the sender's id; its labels when absent."""
    cycle: ChoiceField | None = None
    """The sender's name for one firing, where the same alert has another one for the next."""
    severity: SeverityField | None = None
    """How severe it is; the label severity when absent."""
    labels: Annotated[Mapping[LabelName, ChoiceField], Field(max_length=MOST_WORDS)] = {}
    """Labels, each from its place."""
    label_maps: Annotated[tuple[SpreadDocument, ...], Field(max_length=16)] = ()
    """Maps and lists of tags whose entries are labels; a label that is named wins, then the first map."""
    annotations: Annotated[Mapping[Text, ChoiceField], Field(max_length=MOST_WORDS)] = {}
    """Texts for people, as in summary and description."""
    links: Mapping[LinkName, ChoiceField] = {}
    """Where people may look."""
    values: Annotated[Mapping[Text, PointerText], Field(max_length=MOST_WORDS)] = {}
    """Numbers."""
    starts_at: Places | None = None
    """When it began to fire."""
    ends_at: Places | None = None
    """When it ended."""
    observed_at: Places | None = None
    """When the sender told of it."""
    times: TimeFormat = "auto"
    """How it writes times; auto: with date and zone, or since 1970 in the unit that the size of the number tells."""
