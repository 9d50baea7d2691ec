"""Sending requests: once, and what an answer or its absence means for whoever may send again."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_adapters.http.reader import known, word_at
from runbook_adapters.http.wire import NeverSent, Wire
from runbook_adapters.patience import wait_asked
from runbook_adapters.web import Answer, NoAnswer
from runbook_engine.errors import Conflict, EffectUnknown, InvalidTarget, NoAdapter, Permanent, Retryable, Unreadable
from runbook_engine.model.configuration import RequestTemplate
from runbook_engine.model.plan import Value
from runbook_engine.model.request import is_segment
from runbook_engine.ports import Clock

TOO_MANY = 429  # the one answer by which the other side says that it did nothing yet
NOT_HERE = frozenset((307, 308))  # nothing was done: it would have to be sent again, elsewhere
CONFLICT = 409  # to a token: the first request that bore it is under way still


class HttpWriter:
    """Sends pinned requests."""

    def __init__(self, templates: Mapping[str, RequestTemplate], wire: Wire, clock: Clock) -> None:
        self._templates = templates
        self._wire = wire
        self._clock = clock

    def send(self, name: str, arguments: Mapping[str, str], *, digest: str, token: str) -> Mapping[str, Value]:
        """Send a request. Receipt: `id`, when the answer holds one. Raises as the port says."""
        try:
            template = known(name, self._templates)
        except InvalidTarget as error:
            raise Permanent(str(error)) from error
        if template.digest != digest:
            raise Conflict(
                f"request {name} of engine.yaml is another one now than the one that was approved; nothing was sent"
            )
        try:
            answer = self._wire.send(template, arguments, token)
        except (NoAdapter, Unreadable) as error:  # of a secret
            raise Retryable(f"request {name} was not sent: {error}") from error
        except NeverSent as error:
            kind = Retryable if error.passing else Permanent
            raise kind(f"request {name} was not sent: {error}") from error
        except NoAnswer as error:
            raise EffectUnknown(f"request {name} was sent, and what came of it is not known: {error}") from error
        if _is_taken(answer, template):
            return self._receipt(answer, template)
        raise self._refusal(answer, template)

    def _receipt(self, answer: Answer, template: RequestTemplate) -> Mapping[str, Value]:
        if template.status is None or not template.status.id:
            return {}
        answer_id = word_at(answer, template.status.id)
        if not is_segment(answer_id):
            said = f"HTTP {answer.status} without {template.status.id}"
            raise EffectUnknown(f"request {template.name} was taken, and nobody can ask what became of it: {said}")
        return {"id": answer_id}

    def _refusal(self, answer: Answer, template: RequestTemplate) -> Exception:
        """Return what an answer means that is none of those that are expected."""
        said = f"HTTP {answer.status}" + (f": {answer.excerpt}" if answer.excerpt else "")
        if answer.status == TOO_MANY:
            return Retryable(f"request {template.name} is not taken now: {said}", wait_asked(answer, self._clock.now()))
        elsewhere = 300 <= answer.status < 400  # many a service redirects a browser after it has done what was asked
        done_or_under_way = elsewhere or (answer.status == CONFLICT and template.repeat == "token")
        if answer.status in NOT_HERE:
            return Permanent(f"request {template.name} is redirected, which is not followed (correct its url)")
        if answer.status >= 500 or answer.status == 408 or answer.status < 300 or done_or_under_way:
            return EffectUnknown(f"request {template.name} was answered {said}, and what came of it is not known")
        return Permanent(f"request {template.name} was refused: {said}")


def _is_taken(answer: Answer, template: RequestTemplate) -> bool:
    return answer.status in template.expect if template.expect else 200 <= answer.status < 300
