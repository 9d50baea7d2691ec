"""The kind Runbook, with its keys in the order in which an on-call asks."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from runbook_engine.documents.check import ChecksField, DoNoHarmDocument
from runbook_engine.documents.document import Document, Envelope
from runbook_engine.documents.field_types import Count, Duration, Name, Percent, Span, Text, Url, refuse
from runbook_engine.documents.target import TargetField
from runbook_engine.model.runbook import EventName, InputType, Mode, Strategy

COMPENSATE_WORDS: Mapping[str, str] = {"whenResolved": "resolved", "onFailure": "onFailure", "never": "never"}


class Metadata(Document):
    """Who this runbook is and who answers for it."""

    name: Name
    """The name, unique over all runbooks."""
    owner: Name
    """The team of engine.yaml that answers for it."""
    summary: str = ""
    """What it does, in a sentence."""
    reviewed: str = ""
    """Who looked at how it did, and when; a new text is a new runbook, so that one that was demoted begins anew."""


class InputDocument(Document):
    """One typed door by which a value of the alert enters."""

    type: InputType = "string"
    """What the value must be; anything else refuses the run."""
    origin: Text | None = Field(default=None, alias="from")
    """Where it comes from, as in alert.labels.cluster."""
    default: str | None = None
    """The value when the alert has none."""
    description: str = ""
    """What a person is told who starts this by hand."""


class GroupDocument(Document):
    """How many targets at once, when many alerts come together."""

    wait: Span
    """How long to wait for more alerts before anything is changed; they are one group."""
    max_targets: Annotated[Count, Field(ge=1)]
    """With more targets than this, nothing is changed, and people are told once."""
    batches: Annotated[tuple[Annotated[Count, Field(ge=1)], ...], Field(min_length=1)] = (1,)
    """How many targets in each batch, one batch after the other; the last number holds for all that follow."""
    max_failures: Count = 0
    """When more runs of the group than this do not succeed, the rest are not begun."""


class ModeRuleDocument(Document):
    """A mode, and the matchers under which it holds."""

    mode: Mode
    """observe records, propose also tells, approve asks before the first change, auto acts."""
    matchers: tuple[str, ...] = ()
    """All must hold; none = always."""


def _as_rules(value: Any) -> Any:
    return [{"mode": value}] if isinstance(value, str) else value


ModeField = Annotated[
    tuple[ModeRuleDocument, ...],
    BeforeValidator(_as_rules, json_schema_input_type=Mode | tuple[ModeRuleDocument, ...]),
]


class CompensateDocument(Document):
    """When our change is undone."""

    when: Literal["resolved", "onFailure", "never"]
    """resolved: once every alert stays resolved; onFailure: when the run does not succeed; never."""
    hold_for: Duration | None = None
    """How long the alerts must stay resolved first; 10m when absent."""
    on_refire: Literal["keep"] = "keep"
    """What an alert does that comes back meanwhile: the change is kept and handed over."""

    @model_validator(mode="after")
    def _holds_for_a_reason(self) -> Self:
        if self.hold_for is not None and self.when != "resolved":
            raise refuse("hold-for", '"holdFor" belongs to "when: resolved"', "remove it", "holdFor")
        return self


def _as_compensate(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in COMPENSATE_WORDS:
        choices = ", ".join(COMPENSATE_WORDS)
        near = difflib.get_close_matches(value, COMPENSATE_WORDS, n=1)
        hint = f'did you mean "{near[0]}"?' if near else ""
        raise refuse("compensate", f'"compensate" must be one of {choices}, not "{value}"', hint)
    return {"when": COMPENSATE_WORDS[value]}


CompensateField = Annotated[
    CompensateDocument,
    BeforeValidator(
        _as_compensate, json_schema_input_type=Literal["whenResolved", "onFailure", "never"] | CompensateDocument
    ),
]


class ApprovalDocument(Document):
    """A person must say yes to this step's change."""

    by: Name
    """The team of engine.yaml whose members may."""
    timeout: Span
    """How long we wait for the answer."""
    on_timeout: Literal["stop", "abort", "next"] = "stop"
    """No answer: stop keeps what was done and ends, abort undoes, next goes to the next step."""


class RetryDocument(Document):
    """How often a call is tried that surely did nothing."""

    attempts: Annotated[Count, Field(ge=1, le=10)] = 3
    """How often in all."""
    backoff: Duration | None = None
    """The wait after the first attempt; it doubles each time; 2s when absent."""


class StepDocument(Document):
    """A named use of an action."""

    name: Name
    """The name, unique in this runbook."""
    action: Text
    """The action, as in degrade, scale, restart, rollback."""
    arguments: Mapping[str, Any] = Field(default={}, alias="with")
    """The action's parameters; texts in it may be templates."""
    target: TargetField | None = None
    """What this step acts on; the runbook's target when absent."""
    when: ChecksField | None = None
    """Checks that must hold, else the step is skipped."""
    verify: ChecksField | None = None
    """Checks that must hold after this step, before the next one."""
    approval: ApprovalDocument | None = None
    """A person must say yes first."""
    retry: RetryDocument | None = None
    """How often a call is tried that surely did nothing."""
    settle: Duration | None = None
    """How long the change works before verify looks."""
    compensate: CompensateField | None = None
    """When the change is undone; every step of a reversible action states it."""


class BudgetDocument(Document):
    """How many changes in a rolling window, over all runbooks."""

    changes: Annotated[Count, Field(ge=1)]
    """At most this many."""
    per: Literal["target", "service", "zone", "fleet"]
    """What is counted together."""
    window: Span
    """The rolling window."""


class StepCapDocument(Document):
    """How far one change may move a number."""

    up: Percent | None = None
    """Up by this share at most; 100% when absent."""
    down: Percent | None = None
    """Down by this share at most; 50% when absent."""


class VictimLimit(Document):
    """A limit on victims; the larger of the two."""

    max: Count | None = None
    """At most this many."""
    max_percent: Annotated[Count, Field(le=100)] | None = None
    """At most this share of all, in percent."""


class ProtectDocument(Document):
    """What is never touched."""

    node_labels: tuple[Text, ...] = ()
    """Nodes that bear one of these labels."""


class BlastRadiusDocument(Document):
    """Limits on victims, read live before every change; what cannot be counted forbids."""

    nodes_unavailable: VictimLimit | None = None
    """Nodes out of service, the target itself included."""
    pods_evicted: VictimLimit | None = None
    """Pods that lose their node."""
    protect: ProtectDocument | None = None
    """What is never touched."""


class GuardrailsDocument(Document):
    """What stops this runbook."""

    cooldown: Duration
    """No second change of the same target by another run within this time."""
    deadline: Span
    """How long the whole run may take, approvals included."""
    budget: BudgetDocument | None = None
    """How many changes in a rolling window."""
    minimum_fault_age: Duration | None = None
    """How long the alert must have been firing before the first change."""
    step_cap: StepCapDocument | None = None
    """How far one change may move a number."""
    blast_radius: BlastRadiusDocument | None = None
    """Limits on victims."""
    gitops: Literal["refuse", "allowDrift"] = "refuse"
    """What a GitOps tool owns: refuse leaves it alone, allowDrift changes it although the tool may revert that."""


class NotifyDocument(Document):
    """Who hears what."""

    receiver: Name
    """A receiver of engine.yaml."""
    events: Annotated[tuple[EventName, ...], Field(min_length=1)]
    """notFixed is every end but succeeded."""
    after: Duration | None = None
    """Also while still trying, once the run is this old."""


_ESCALATES: JsonDict = {"required": ["strategy"], "properties": {"strategy": {"const": "escalate"}}}


class RunbookDocument(Envelope):
    """What to do about an alert, what may stop it, and how to tell that it helped."""

    model_config = ConfigDict(json_schema_extra={"if": _ESCALATES, "then": {"required": ["verify"]}})

    kind: Literal["Runbook"]
    """This document is a runbook."""
    metadata: Metadata
    """Who this runbook is."""
    uses: Text | None = None
    """A part that it shares with others: a file of kind RunbookPart, from this one, as in lib/shed-then-scale.yaml."""
    values: Mapping[str, Any] = Field(default={}, alias="with")
    """What the part's parameters are here."""
    matchers: Annotated[tuple[str, ...], Field(min_length=1)]
    """All must hold, as in alertname = Foo or severity =~ critical|high."""
    inputs: Mapping[str, InputDocument] = {}
    """The values that it takes from the alert, or from the person who starts it."""
    target: TargetField
    """What it acts on."""
    group: GroupDocument | None = None
    """How many targets at once."""
    mode: ModeField = (ModeRuleDocument(mode="propose"),)
    """How far it may go; a list: the first whose matchers hold. The installation's ceiling wins."""
    require: ChecksField = ()
    """Checks that must hold before the first change, else the run is blocked."""
    diagnostics: tuple[Mapping[str, Mapping[str, Any] | None], ...] = ()
    """Evidence captured before the first change, as in graph, changes, logs."""
    links: Mapping[str, Url] = {}
    """Where a person may look."""
    strategy: Strategy = "sequence"
    """escalate stops at the first step after which verify passes; sequence does every step."""
    verify: ChecksField = ()
    """Is it fixed? All must hold."""
    do_no_harm: DoNoHarmDocument | None = None
    """What must not get worse."""
    guardrails: GuardrailsDocument
    """What stops it."""
    steps: Annotated[tuple[StepDocument, ...], Field(min_length=1, max_length=32)]
    """What it does, in order."""
    notify: tuple[NotifyDocument, ...] = ()
    """Who hears of it."""
