"""A bundle's index answers what an index built from its runbooks answers, and is not used where it is not theirs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.mixes import alerts, runbooks
from runbook_engine.matching import prepared
from runbook_engine.matching.index import Index
from runbook_engine.matching.placement import Entry
from runbook_engine.matching.prepared import entries_of, index_of, prepare_index
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.matcher_grammar import parse_matchers
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.target import TargetTemplate
from tests.properties.matching.test_index import labelsets, rules


def runbook(name: str, matchers: tuple[Matcher, ...]) -> Runbook:
    """Return a runbook that only matches."""
    return Runbook(
        name=name,
        owner="team-web",
        matchers=matchers,
        target=TargetTemplate(kind="deployment", name="web", namespace="apps"),
        guardrails=Guardrails(cooldown=timedelta(minutes=30), deadline=timedelta(minutes=40)),
        steps=(),
    )


def bundle_of(written: list[tuple[Matcher, ...]]) -> Bundle:
    """Return a bundle of runbooks with these matchers, and with their index."""
    found = tuple(runbook(f"r{number}", matchers) for number, matchers in enumerate(written))
    return Bundle(found, index=prepare_index(entries_of(found)))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note down whenever an index is built from runbooks."""
    noted: list[bool] = []
    build = Index.build

    def noting(entries: list[Entry]) -> Index:
        noted.append(True)
        return build(entries)

    monkeypatch.setattr(prepared.Index, "build", noting)
    return noted


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(rules, st.lists(labelsets, min_size=1, max_size=6))
def test_a_prepared_index_agrees_with_a_built_one_when_rules_are_anything(
    written: list[tuple[Matcher, ...]], asked: list[dict[str, str]]
) -> None:
    """The same names in the same order, whichever way the index came to be."""
    bundle = bundle_of(written)

    found, expected = index_of(bundle), Index.build(entries_of(bundle.runbooks))

    assert [found.match(labels) for labels in asked] == [expected.match(labels) for labels in asked]


@pytest.mark.parametrize("skewed", [False, True], ids=["uniform", "skewed"])
def test_a_prepared_index_agrees_with_a_built_one_when_there_are_crowds(skewed: bool, built: list[bool]) -> None:
    """Signatures, beginnings and shared conditions come back as they were filed, and nothing is filed again."""
    entries = runbooks(500, skewed=skewed)
    found = index_of(bundle_of([entry.matchers for entry in entries]))
    assert built == []

    asked, expected = alerts(200, entries), Index.build(entries)
    answers = [found.match(labels) for labels in asked]

    assert any(answers)
    assert [tuple(name.replace("runbook-", "r") for name in expected.match(labels)) for labels in asked] == answers


def test_equal_runbooks_give_equal_bytes() -> None:
    """A build of the same files can be compared by its hash."""
    patterns = parse_matchers('pod =~ "(a|b|c)-(x|y).*", team =~ "z|y|x", severity != info')

    assert prepare_index([Entry("one", 0, patterns)]) == prepare_index([Entry("one", 0, patterns)])


def _another_version(content: bytes) -> bytes:
    version, digest, filed = msgspec.msgpack.decode(content)
    return msgspec.msgpack.encode([version + 1, digest, filed])


def _flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: b"", id="there is none"),
        pytest.param(lambda content: b"\xc1", id="it is no MessagePack"),
        pytest.param(_another_version, id="it is of another version"),
        pytest.param(_flipped, id="a bit of it has flipped"),
        pytest.param(
            lambda content: prepare_index([Entry("r0", 0, parse_matchers("alertname=B"))]),
            id="it belongs to other runbooks",
        ),
    ],
)
def test_the_index_is_built_when_the_prepared_one_is_not_theirs(
    change: Callable[[bytes], bytes], built: list[bool]
) -> None:
    """What cannot be trusted is not used, and the answer is the runbooks' own."""
    bundle = bundle_of([parse_matchers("alertname=A")])

    index = index_of(msgspec.structs.replace(bundle, index=change(bundle.index)))

    assert index.match({"alertname": "A"}) == ("r0",)
    assert index.match({"alertname": "B"}) == ()
    assert built == [True]


def test_every_flipped_bit_is_found(built: list[bool]) -> None:
    """The digest covers all that was filed, so a damaged index never answers for the runbooks."""
    bundle = bundle_of([parse_matchers('alertname=A, pod =~ "db-.*"')])

    for at in range(len(bundle.index)):
        damaged = bundle.index[:at] + bytes([bundle.index[at] ^ 4]) + bundle.index[at + 1 :]
        index = index_of(msgspec.structs.replace(bundle, index=damaged))
        assert index.match({"alertname": "A", "pod": "db-1"}) == ("r0",)

    assert len(built) == len(bundle.index)
