"""What can come of a call besides success: one class for each meaning, so that callers need not read numbers.

Every problem of a read is `Unreadable`, every problem of a write is one of the four that the engine acts on:

    ApiProblem                    read: Unreadable, and    write:
    ├── NotFound                  NotFoundOnRead           NotFoundOnWrite           (Permanent)
    ├── RbacForbidden             RbacForbiddenOnRead      RbacForbiddenOnWrite      (Permanent)
    ├── TokenRefused              TokenRefusedOnRead       TokenRefusedOnWrite       (Permanent)
    ├── Rejected                  RejectedOnRead           RejectedOnWrite           (Permanent)
    ├── Throttled                 ThrottledOnRead          ThrottledOnWrite          (Retryable)
    ├── NotSent                   NotSentOnRead            NotSentOnWrite            (Retryable)
    ├── Unavailable               (Unreadable)             -
    ├── Expired                   (Unreadable)             -
    ├── WriteConflict             -                        409                       (Conflict)
    ├── AlreadyExists             -                        409 of a create           (Conflict)
    ├── PatchTestFailed           -                        422 without causes        (Conflict)
    ├── PolicyDenied              -                        an admission said no      (Permanent)
    ├── Invalid                   -                        422 with causes           (Permanent)
    ├── MoreThanOneBudget         -                        500 of an eviction        (Permanent)
    ├── Blocked                   -                        429 of a disruption budget (Retryable)
    ├── NamespaceTerminating      -                        403 of a create           (Retryable)
    ├── WebhookDown               -                        500 of an admission       (Retryable)
    └── LostAnswer                -                        done or not               (EffectUnknown)

Catch the meaning (`except NotFound`) where something is done about it, and let the rest go up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import msgspec

from runbook_adapters.kubernetes.calls import Call
from runbook_engine.errors import Conflict, EffectUnknown, Permanent, Retryable, RunbookError, Unreadable


class Cause(msgspec.Struct, frozen=True):
    """One cause inside a Status."""

    reason: str = ""
    message: str = ""
    field: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.field, self.message or self.reason) if part)


class Said(msgspec.Struct, frozen=True):
    """What the server said; status 0 when it said nothing and `message` is what happened instead."""

    status: int = 0
    reason: str = ""
    message: str = ""
    causes: tuple[Cause, ...] = ()
    after: timedelta | None = None  # the wait that the server asked for
    kind: str = ""  # of the object that it speaks of
    is_status: bool = False  # whether the body was a Status of Kubernetes

    def __str__(self) -> str:
        head = " ".join(part for part in (f"HTTP {self.status}" if self.status else "", self.reason) if part)
        first = str(self.causes[0]) if self.causes else ""
        told = [self.message] if self.message else []
        return ": ".join(part for part in (head, "; ".join(told + self._unsaid(first))) if part)

    def _unsaid(self, cause: str) -> list[str]:
        return [f"cause: {cause}"] if cause and cause not in self.message else []


class ApiProblem(RunbookError):
    """A call did not succeed; what was called, what the server said, and the wait that makes sense, if any."""

    opening: ClassVar[str] = "cannot {call}: {said}"
    remedy: ClassVar[str] = ""

    def __init__(self, call: Call, said: Said, remedy: str = "") -> None:
        self.call = call
        self.said = said
        self.after = said.after
        hint = remedy or self.remedy
        Exception.__init__(self, self.opening.format(call=call, said=said) + (f" ({hint})" if hint else ""))

    @property
    def status(self) -> int:
        """The HTTP status, 0 when there was no answer."""
        return self.said.status

    @property
    def reason(self) -> str:
        """The reason of the Status, empty when there was none."""
        return self.said.reason

    @property
    def message(self) -> str:
        """The server's own sentence."""
        return self.said.message

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes of the Status."""
        return self.said.causes


class NotFound(ApiProblem):
    """The object is gone, or its namespace; not `served` when the server does not know the resource at all."""

    remedy = "it is gone; check the name, the namespace and the cluster"

    @property
    def served(self) -> bool:
        """Whether the server knows such a resource: a missing custom resource definition is no missing object."""
        return self.said.is_status and self.said.message != UNKNOWN_RESOURCE


class RbacForbidden(ApiProblem):
    """RBAC, or another authorizer, says no; `user`, `verb` and `resource` as the server named them."""

    def __init__(
        self, call: Call, said: Said, remedy: str = "", *, user: str = "", verb: str = "", resource: str = ""
    ) -> None:
        self.user = user
        self.verb = verb
        self.resource = resource
        super().__init__(call, said, remedy)


class TokenRefused(ApiProblem):
    """Who we are is not accepted, with a fresh token neither."""

    remedy = (
        "the cluster does not know this identity: on EKS map the role with an access entry, elsewhere check the token"
    )


class Rejected(ApiProblem):
    """The request itself is not one that the server takes: our mistake, or not an API server."""

    remedy = "the server does not take such a request; check server in engine.yaml, and report it if that is right"


class Throttled(ApiProblem):
    """Too many requests; `after` says when to come again."""

    remedy = "the API server is busy; it is asked again later"


class NotSent(ApiProblem):
    """Nothing was sent: there was no connection, or no credential."""

    remedy = "nothing was sent; check that server in engine.yaml can be reached from here"


class NotFoundOnRead(NotFound, Unreadable):
    """Not found, looking."""


class NotFoundOnWrite(NotFound, Permanent):
    """Not found, changing."""


class RbacForbiddenOnRead(RbacForbidden, Unreadable):
    """Not allowed to look."""


class RbacForbiddenOnWrite(RbacForbidden, Permanent):
    """Not allowed to change."""


class TokenRefusedOnRead(TokenRefused, Unreadable):
    """Not known, looking."""


class TokenRefusedOnWrite(TokenRefused, Permanent):
    """Not known, changing."""


class RejectedOnRead(Rejected, Unreadable):
    """Not a request, looking."""


class RejectedOnWrite(Rejected, Permanent):
    """Not a request, changing."""


class ThrottledOnRead(Throttled, Unreadable):
    """Too many requests, looking."""


class ThrottledOnWrite(Throttled, Retryable):
    """Too many requests, changing; surely not done."""


class NotSentOnRead(NotSent, Unreadable):
    """Nothing was sent, looking."""


class NotSentOnWrite(NotSent, Retryable):
    """Nothing was sent, changing; surely not done."""


class Unavailable(ApiProblem, Unreadable):
    """A read has no usable answer now."""

    remedy = "what cannot be read is not guessed; look at the API server"


class Expired(ApiProblem, Unreadable):
    """A continued list or a watch is too old: list again."""

    remedy = "too much changed since; list again"


class WriteConflict(ApiProblem, Conflict):
    """409: a resource version or a uid is not the expected one any more."""

    remedy = "somebody changed it in between; nothing was overwritten"


class AlreadyExists(ApiProblem, Conflict):
    """409 of a create: an object of that name is there."""

    remedy = "an object of that name is there; nothing was overwritten"


class PatchTestFailed(ApiProblem, Conflict):
    """422 without causes: a `test` of a JSON patch did not hold."""

    remedy = "it is not as the change expects; nothing was overwritten"


class PolicyDenied(ApiProblem, Permanent):
    """An admission policy, an admission webhook or a quota said no."""

    remedy = "a rule of the cluster forbids it; change the runbook or the rule"


class Invalid(ApiProblem, Permanent):
    """The object would not be valid."""

    remedy = "the cluster does not accept such an object; correct the runbook"


class MoreThanOneBudget(ApiProblem, Permanent):
    """Two disruption budgets select one pod, which no eviction can obey."""

    remedy = "let only one PodDisruptionBudget select the pod"


class Blocked(ApiProblem, Retryable):
    """A disruption budget does not allow the eviction now; `budget` is its name, if the server said so."""

    remedy = "it is asked again while there is time"

    def __init__(self, call: Call, said: Said, remedy: str = "", *, budget: str = "") -> None:
        self.budget = budget
        super().__init__(call, said, remedy)


class NamespaceTerminating(ApiProblem, Retryable):
    """Nothing can be created in a namespace that is being deleted, an eviction neither."""

    remedy = "the namespace is being deleted; its pods end by themselves"


class WebhookDown(ApiProblem, Retryable):
    """An admission webhook did not answer, so nothing was done; `webhook` is its name."""

    def __init__(self, call: Call, said: Said, remedy: str = "", *, webhook: str = "") -> None:
        self.webhook = webhook
        super().__init__(call, said, remedy)


class LostAnswer(ApiProblem, EffectUnknown):
    """A change was sent and its answer was lost: read back before sending it again."""

    opening = "nobody knows whether this was done: {call}: {said}"
    remedy = "look at it before doing it again"


UNKNOWN_RESOURCE = "the server could not find the requested resource"
