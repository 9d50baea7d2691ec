"""First runbooks: whatever an alert is called, what is written reads back as exactly that."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.alertrules.drafting import Place, draft_runbooks
from runbook_engine.alertrules.guessing import guess_target
from runbook_engine.alertrules.naming import file_name, matcher_line, named, quoted
from runbook_engine.alertrules.promql import carried_labels
from runbook_engine.alertrules.rule import AlertRule
from runbook_engine.documents.field_types import NAME_PATTERN
from runbook_engine.loading.yaml_source import parse_yaml
from runbook_engine.loading.yaml_tree import plain
from runbook_engine.matching.conditions import holds
from runbook_engine.model.matcher_grammar import parse_matcher
from runbook_engine.templating import is_template

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text("{}%#\"'\\ :-\n\t=~|a", max_size=20)


def _rule(name: str = "ShopErrors", expression: str = "x", **labels: str) -> AlertRule:
    return AlertRule(
        name=name,
        expression=expression,
        group="shop",
        file="rules.yaml",
        line=7,
        labels={**labels, "alertname": name},
        carried=carried_labels(expression),
    )


def _read(text: str) -> list[str]:
    parsed = parse_yaml(text.encode(), "written.yaml")
    assert () == parsed.diagnostics
    read: list[str] = plain(parsed.documents[0])  # type: ignore[assignment]  # these tests write lists of texts
    return read


@given(TEXTS)
def test_quoted_text_reads_back_as_it_is(text: str) -> None:
    """By our own strict reader, and in characters that an editor shows."""
    written = quoted(text)

    assert [text] == _read(f"- {written}\n")
    assert written.isascii()
    assert written.isprintable()


@given(TEXTS.filter(bool), TEXTS)
def test_a_matcher_accepts_its_value_and_no_other(value: str, other: str) -> None:
    """It is never taken for a template."""
    written = _read(f"- {matcher_line('alertname', value)}\n")[0]

    matcher = parse_matcher(written)

    assert not is_template(written)
    assert holds(matcher, value)
    assert holds(matcher, other) is (other == value)


@given(TEXTS)
def test_a_file_name_is_a_name_whatever_it_is_made_of(text: str) -> None:
    """No path, nothing hidden, and nothing that YAML reads as something else."""
    name = file_name(text)

    assert re.fullmatch(NAME_PATTERN, name)
    assert [name] == _read(f"- {name}\n")
    assert f"{name}-2" == file_name(text, [name])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("KubeAPIErrorBudgetBurn", "kube-api-error-budget-burn", id="an abbreviation within"),
        pytest.param("CPUThrottlingHigh", "cpu-throttling-high", id="an abbreviation first"),
        pytest.param("TooManyPVCs", "too-many-pvcs", id="an abbreviation in the plural"),
        pytest.param("Engine", "alert-engine", id="the name of the installation's own file"),
    ],
)
def test_a_file_name_is_made_of_the_words_of_an_alert(text: str, name: str) -> None:
    """As a person would write it; engine.yaml is taken."""
    assert name == file_name(text)


@pytest.mark.parametrize("name", ["on", "null", "123", "1e5"])
def test_our_own_name_is_quoted_when_it_reads_as_something_else(name: str) -> None:
    """A team may be called so."""
    assert [name] == _read(f"- {named(name)}\n")


@pytest.mark.parametrize(
    ("expressions", "clusters", "written"),
    [
        pytest.param(
            ["sum by (namespace, deployment) (x)"],
            ["local"],
            '{namespace: "{{ inputs.namespace }}", deployment: "{{ inputs.deployment }}"}',
            id="a deployment by its name",
        ),
        pytest.param(
            ["sum by (cluster, namespace, pod) (x)"],
            ["a", "b"],
            '{cluster: "{{ inputs.cluster }}", workloadOf: {namespace: "{{ inputs.namespace }}", '
            'pod: "{{ inputs.pod }}"}}',
            id="a pod's workload, in one of two clusters",
        ),
        pytest.param(["max by (node) (x)"], [], '{node: "{{ inputs.node }}"}', id="a node"),
        pytest.param(["max by (node) (x)"], ["a", "b"], "none", id="a node in nobody knows which cluster"),
        pytest.param(["sum by (pod) (x)"], [], "none", id="a pod without its namespace"),
        pytest.param(["x > 1"], [], "none", id="labels that nobody can tell"),
        pytest.param(["max by (node) (x)", "x > 1"], [], "none", id="two rules, and one does not tell"),
    ],
)
def test_a_target_is_guessed_when_every_rule_gives_its_labels(
    expressions: list[str], clusters: list[str], written: str
) -> None:
    """And else none."""
    guess = guess_target([_rule(expression=expression) for expression in expressions], clusters)

    assert written == guess.written


def test_a_target_is_not_guessed_when_what_is_written_out_is_no_name() -> None:
    """It would only ever be refused."""
    assert "none" == guess_target([_rule(namespace="../x", deployment="shop")], []).written
    assert "none" == guess_target([_rule(cluster="c", node="n1")], ["a", "b"]).written


def test_rules_of_one_name_are_told_apart_when_each_writes_its_severity() -> None:
    """Else one runbook is for all of them, and its matcher names no severity."""
    place = Place("team-shop", "chat")
    apart = [_rule(severity="warning"), _rule(severity="critical")]
    together = [*apart, _rule()]

    assert ["shop-errors-warning", "shop-errors-critical"] == [each.name for each in draft_runbooks(apart, place)]
    (draft,) = draft_runbooks(together, place)
    assert "severity" not in draft.text


def test_no_runbook_is_drafted_for_heartbeats() -> None:
    """They fire by design."""
    assert () == draft_runbooks([_rule(name="Watchdog")], Place("team-shop", "chat"))
