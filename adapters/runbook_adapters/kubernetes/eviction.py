"""The node writer: cordon, uncordon, evictions in bounded batches, and one pod taken away.

Nothing here ever falls back to deleting a pod that a disruption budget keeps: a deletion asks no budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from runbook_adapters.kubernetes.asking import Answer, ask_to_leave, denial_of, still_there
from runbook_adapters.kubernetes.cordon import cordon_node, node_or_none, uncordon_node
from runbook_adapters.kubernetes.looking import before_touching
from runbook_adapters.kubernetes.node_facts import cordoner_of, is_cordoned
from runbook_adapters.kubernetes.objects import is_deleting
from runbook_adapters.kubernetes.pods import NOWHERE, Ourselves
from runbook_adapters.kubernetes.removal import remove_pod
from runbook_adapters.kubernetes.roster import Roster
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.eviction import (
    EvictionBatch,
    EvictionRules,
    delays,
    name_of,
    next_batch,
    objections,
    remarks,
    to_go,
)
from runbook_engine.model.node import Pod
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock

AT_ONCE = timedelta(seconds=1)  # somebody was asked, and may make room for the next
SOON = timedelta(seconds=2)  # somebody is on the way
LATER = timedelta(seconds=5)  # nobody is: a budget, a webhook or the server has to change its mind
LONGEST_BATCH = timedelta(seconds=20)  # a server that takes longer is asked for the rest in the next call


class KubernetesNodeWriter:
    """Touches the nodes and pods of one cluster."""

    def __init__(self, transport: Transport, place: str, clock: Clock, *, ourselves: Ourselves = NOWHERE) -> None:
        self._transport = transport
        self._clock = clock
        self._ourselves = ourselves
        self._roster = Roster(transport, place, ourselves)

    def cordon(self, target: Target) -> Mapping[str, Value]:
        """Keep new pods off a node. One that is cordoned already is left alone: `unchanged: True`."""
        return cordon_node(self._transport, target)

    def uncordon(self, target: Target) -> Mapping[str, Value]:
        """Let pods onto a node again. Raises Conflict when somebody else has cordoned it since."""
        return uncordon_node(self._transport, target)

    def evict(self, target: Target, rules: EvictionRules, *, limit: int) -> EvictionBatch:
        """Ask the next pods of a cordoned node to leave, at most `limit` on their way at once; look before each.

        Raises Permanent when the node is not cordoned: what leaves would come straight back.
        """
        node = node_or_none(self._transport, target)
        if node is None:
            return self._without_node(target)
        if not is_cordoned(node):
            raise Permanent(f"{target} is not cordoned: what leaves would come straight back (cordon it first)")
        with before_touching():
            pods = self._roster.on_node(target.name)
        return self._batch(pods, _since_cordon(node, rules), limit)

    def rehearse(self, target: Target, rules: EvictionRules) -> tuple[str, ...]:
        """Ask without effect whether the pods of a node would be let go, one of each namespace; return what forbids it.

        What passes by itself, such as a disruption budget that is used up, forbids nothing.
        """
        with before_touching():
            pods = to_go(self._roster.on_node(target.name), rules, self._clock.now())
        one_each = {pod.target.namespace: pod.target for pod in pods if pod.deleted_at is None}
        said = (denial_of(self._transport, pod, rules.grace) for pod in one_each.values())
        return tuple(denial for denial in said if denial)

    def remove(self, pod: Target, *, evict: bool, grace: timedelta | None = None) -> Mapping[str, Value]:
        """Evict one pod (so that disruption budgets hold), or delete it. One that is gone is left alone.

        Raises Retryable when a disruption budget says not now.
        """
        return remove_pod(self._transport, pod, self._ourselves, evict=evict, grace=grace)

    def _batch(self, pods: tuple[Pod, ...], rules: EvictionRules, limit: int) -> EvictionBatch:
        now = self._clock.now()
        going, forbidden, warnings = to_go(pods, rules, now), objections(pods, rules, now), remarks(pods, rules, now)
        if forbidden:
            return EvictionBatch(left=len(going) + len(forbidden), blocked=forbidden, warnings=warnings)
        answers = self._ask(next_batch(pods, rules, now, limit), rules.grace)
        asked = tuple(name for name, answer in answers.items() if answer.verb == "leaving")
        usual = AT_ONCE if asked else SOON if any(pod.deleted_at is not None for pod in going) else LATER
        waits = [answer.after for answer in answers.values() if answer.after is not None]
        return EvictionBatch(
            evicted=asked,
            left=len(going) - sum(answer.verb == "gone" for answer in answers.values()),
            waiting=delays(pods, rules, now) + _said(answers, "wait"),
            blocked=_said(answers, "never"),
            warnings=warnings,
            after=max([usual, *waits]),
        )

    def _ask(self, chosen: tuple[Pod, ...], grace: timedelta | None) -> dict[str, Answer]:
        """Ask one pod after the other, until the server wants no more of it or has taken too long."""
        answers: dict[str, Answer] = {}
        ends = self._clock.now() + LONGEST_BATCH
        for pod in chosen:
            if answers and self._clock.now() > ends:
                break
            try:
                answer = self._ask_one(pod.target, grace)
            except (Permanent, Retryable) as error:
                if not any(given.verb == "leaving" for given in answers.values()):
                    raise
                answer = _broken_off(error)
            answers[name_of(pod)] = answer
            if answer.hush:
                break
        return answers

    def _ask_one(self, pod: Target, grace: timedelta | None) -> Answer:
        with before_touching():
            found = still_there(self._transport, pod)
        if found is None:
            return Answer(verb="gone")
        if is_deleting(found):
            return Answer(verb="wait", says=f"pod {pod.namespace}/{pod.name} is terminating: somebody else asked it")
        return ask_to_leave(self._transport, pod, grace)

    def _without_node(self, target: Target) -> EvictionBatch:
        """A node that is gone takes its pods along; that takes the control plane a minute or so."""
        if not target.uid:
            raise Permanent(f"{target} does not exist in cluster {target.place}")
        with before_touching():
            left = len(self._roster.bound_to(target.name))
        said = f"{target} is gone, and {left} pods that were on it have not vanished yet"
        return EvictionBatch(left=left, waiting=(said,) if left else (), after=LATER)


def _since_cordon(node: Json, rules: EvictionRules) -> EvictionRules:
    """Return the rules with the moment since when the node takes no pods, unless the caller knows better."""
    cordoner = cordoner_of(node)
    if rules.cordoned_at is not None or cordoner is None:
        return rules
    return msgspec.structs.replace(rules, cordoned_at=cordoner.at)


def _broken_off(error: Permanent | Retryable) -> Answer:
    """What was asked before is told; the rest of the batch was not asked."""
    if isinstance(error, Retryable):
        return Answer(verb="wait", says=f"the rest was not asked: {error}", after=error.after, hush=True)
    return Answer(verb="never", says=f"the rest cannot be asked: {error}", hush=True)


def _said(answers: Mapping[str, Answer], verb: str) -> tuple[str, ...]:
    return tuple(answer.says for answer in answers.values() if answer.verb == verb)
