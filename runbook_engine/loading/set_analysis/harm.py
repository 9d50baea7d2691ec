"""A watch over harm that watches the fault itself."""

from __future__ import annotations

from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.check import QueryCheck


def report_harm(subject: Subject) -> None:
    """Report doNoHarm that asks what verify asks: it sees the fault grow, and takes it for harm of ours."""
    harm = subject.runbook.do_no_harm
    if harm is None:
        return
    for check in subject.runbook.verify:
        same = isinstance(check, QueryCheck) and (check.query, check.source) == (harm.query, harm.source)
        if same and isinstance(check, QueryCheck) and dict(check.where) == dict(harm.where):
            message = "doNoHarm watches what verify asks: a fault that still grows is taken for harm, and undone"
            hint = "watch what a change of this runbook could make worse, such as latency or saturation"
            subject.warn(("doNoHarm",), "harm-is-verify", message, hint)
            return
