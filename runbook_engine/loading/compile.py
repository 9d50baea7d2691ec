"""Compile a valid runbook document into the value that the engine runs, with the digest of all that decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec

from runbook_engine.documents.check import CheckDocument, DoNoHarmDocument
from runbook_engine.documents.runbook import (
    BlastRadiusDocument,
    CompensateDocument,
    GroupDocument,
    GuardrailsDocument,
    InputDocument,
    ModeRuleDocument,
    RetryDocument,
    RunbookDocument,
    StepDocument,
)
from runbook_engine.documents.target import TargetDocument
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.matchers import check_matchers
from runbook_engine.loading.yaml_tree import Path, Place, value_place
from runbook_engine.model import check as checks
from runbook_engine.model.guardrail import BlastRadius, BudgetRule, Guardrails, StepCap
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import (
    Approval,
    Collector,
    Compensate,
    GroupRule,
    Input,
    ModeRule,
    NotifyRule,
    Retry,
    Runbook,
    Step,
)
from runbook_engine.model.target import TargetTemplate
from runbook_engine.templating import parse_path


def compile_runbook(document: RunbookDocument, findings: Findings) -> Runbook:
    """Return the compiled runbook; `findings` tells where its parts were written."""
    runbook = Runbook(
        name=document.metadata.name,
        owner=document.metadata.owner,
        summary=document.metadata.summary,
        reviewed=document.metadata.reviewed,
        matchers=check_matchers(findings, ("matchers",)),
        inputs=tuple(_input(name, entry) for name, entry in document.inputs.items()),
        target=_target(document.target),
        group=_group(document.group),
        mode=compile_mode(document.mode, findings, ("mode",)),
        require=_checks(document.require),
        diagnostics=tuple(
            Collector(name=name, arguments=arguments or {})
            for entry in document.diagnostics
            for name, arguments in entry.items()
        ),
        links=dict(document.links),
        strategy=document.strategy,
        verify=_checks(document.verify),
        do_no_harm=_do_no_harm(document.do_no_harm),
        guardrails=_guardrails(document.guardrails),
        steps=tuple(
            _step(step, value_place(findings.root, ("steps", index))) for index, step in enumerate(document.steps)
        ),
        notify=tuple(
            NotifyRule(receiver=rule.receiver, events=rule.events, after=rule.after) for rule in document.notify
        ),
        file=findings.source.file,
        line=findings.root.place.line,
    )
    return msgspec.structs.replace(runbook, digest=digest_of(runbook))


def digest_of(runbook: Runbook) -> str:
    """Return the hash of everything in a runbook that decides: not its summary, its links or where it is written.

    How its runs have ended is kept under it. So a field that came later counts only where somebody wrote it: an upgrade
    must neither raise a runbook that was lowered nor let what it has earned be forgotten.
    """
    deciding = msgspec.structs.replace(
        runbook,
        **{"digest": "", "summary": "", "links": {}, "file": "", "line": 0},
        matchers=_bare(runbook.matchers),
        mode=tuple(msgspec.structs.replace(rule, matchers=_bare(rule.matchers)) for rule in runbook.mode),
        steps=tuple(msgspec.structs.replace(step, line=0, file="") for step in runbook.steps),
        inputs=tuple(msgspec.structs.replace(entry, description="") for entry in runbook.inputs),
    )
    told = msgspec.to_builtins(deciding, order="deterministic")
    del told["apart"]  # it follows from the steps
    came_later = [(told, "reviewed"), *((step, "file") for step in told["steps"])]
    for fields, name in came_later:
        if not fields[name]:
            del fields[name]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def compile_mode(rules: Iterable[ModeRuleDocument], findings: Findings, path: Path) -> tuple[ModeRule, ...]:
    """Return the rules with their matchers parsed."""
    return tuple(
        ModeRule(mode=rule.mode, matchers=check_matchers(findings, (*path, index, "matchers")))
        for index, rule in enumerate(rules)
    )


def _bare(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    return tuple(Matcher(matcher.name, matcher.op, matcher.value) for matcher in matchers)


def _input(name: str, entry: InputDocument) -> Input:
    path = parse_path(entry.origin) if entry.origin else None
    return Input(name=name, type=entry.type, path=path or (), default=entry.default, description=entry.description)


def _target(target: object) -> TargetTemplate:
    if not isinstance(target, TargetDocument):
        return TargetTemplate("none")
    return target.template


def _group(group: GroupDocument | None) -> GroupRule | None:
    if group is None:
        return None
    return GroupRule(
        wait=group.wait, max_targets=group.max_targets, batches=group.batches, max_failures=group.max_failures
    )


def _step(step: StepDocument, place: Place) -> Step:
    return Step(
        name=step.name,
        action=step.action,
        arguments=dict(step.arguments),
        target=_target(step.target) if step.target is not None else None,
        when=_checks(step.when or ()),
        verify=_checks(step.verify or ()),
        approval=Approval(by=step.approval.by, timeout=step.approval.timeout, on_timeout=step.approval.on_timeout)
        if step.approval
        else None,
        retry=_retry(step.retry),
        settle=step.settle or timedelta(0),
        compensate=_compensate(step.compensate),
        line=place.line,
        file=place.file,
    )


def _retry(retry: RetryDocument | None) -> Retry:
    if retry is None:
        return Retry()
    return Retry(attempts=retry.attempts, **given(backoff=retry.backoff))


def _compensate(compensate: CompensateDocument | None) -> Compensate:
    if compensate is None:
        return Compensate(when="never")
    return Compensate(when=compensate.when, on_refire=compensate.on_refire, **given(hold_for=compensate.hold_for))


def _guardrails(guardrails: GuardrailsDocument) -> Guardrails:
    budget, cap = guardrails.budget, guardrails.step_cap
    return Guardrails(
        cooldown=guardrails.cooldown,
        deadline=guardrails.deadline,
        budget=BudgetRule(changes=budget.changes, per=budget.per, window=budget.window) if budget else None,
        step_cap=StepCap(**given(up=cap.up, down=cap.down)) if cap else StepCap(),
        blast_radius=_blast_radius(guardrails.blast_radius),
        gitops=guardrails.gitops,
        **given(minimum_fault_age=guardrails.minimum_fault_age),
    )


def _blast_radius(radius: BlastRadiusDocument | None) -> BlastRadius | None:
    if radius is None:
        return None
    written = radius.model_dump(by_alias=True, exclude_none=True)
    protect = written.pop("protect", {})
    limits = {name: {key: float(value) for key, value in limit.items()} for name, limit in written.items()}
    return BlastRadius(limits=limits, protect={key: tuple(value) for key, value in protect.items()})


def _do_no_harm(harm: DoNoHarmDocument | None) -> checks.DoNoHarm | None:
    if harm is None:
        return None
    query, source = _asked(harm)
    return checks.DoNoHarm(query=query, source=source, rises_by=harm.rises_by, floor=harm.floor, where=dict(harm.where))


def _checks(documents: Iterable[CheckDocument]) -> tuple[checks.Check, ...]:
    return tuple(_check(document) for document in documents)


def _check(document: CheckDocument) -> checks.Check:
    common: dict[str, Any] = {
        "no_data": document.no_data,
        **given(hold_for=document.hold_for, timeout=document.timeout),
    }
    if document.query is not None or document.metric is not None:
        return _query_check(document, common)
    if document.alert is not None:
        return checks.AlertCheck(state=document.alert, **common)
    if document.ready is not None:
        return checks.ReadyCheck(share=document.ready, **common)
    if document.changed_within is not None:
        return checks.ChangedWithinCheck(period=document.changed_within, **common)
    if document.node_ready is not None:
        return checks.NodeReadyCheck(ready=document.node_ready, **common)
    if document.evictable_pods is not None:
        return checks.EvictablePodsCheck(at_most=document.evictable_pods, **common)
    return checks.GitopsCheck(managed=document.gitops == "managed", **common)


def _asked(document: CheckDocument | DoNoHarmDocument) -> tuple[str, str]:
    """Return the query as a reader is asked it, and which reader; empty = the default one."""
    metric = document.metric
    return (document.query or "", "") if metric is None else (metric.query.text, metric.source)


def _query_check(document: CheckDocument, common: dict[str, Any]) -> checks.QueryCheck:
    compared: tuple[tuple[checks.Comparison, float | None], ...] = (
        ("below", document.below),
        ("above", document.above),
        ("equals", document.equals),
    )
    comparison, value = next((word, value) for word, value in compared if value is not None)
    query, source = _asked(document)
    return checks.QueryCheck(
        query=query, source=source, comparison=comparison, value=value, where=dict(document.where), **common
    )


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None: the others keep the model's default."""
    return {name: value for name, value in fields.items() if value is not None}
