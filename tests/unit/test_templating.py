"""Templates fill in text, refuse everything else, and never read what they filled in."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.errors import TemplateError
from runbook_engine.model.alert import Resource
from runbook_engine.templating import MAX_TEXT, Templates, parse_path, variables_of

VARIABLES = {
    "inputs": {"cluster": "prod-eu", "replicas": 3, "ratio": 0.5, "urgent": True, "nothing": None},
    "alert": {"name": "Slow", "labels": {"k8s.pod": "checkout-1", "empty": ""}, "annotations": {}},
}

HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "{{ inputs.secret }}",
            "{% for x in range(10**9) %}{% endfor %}",
            "{{ ''.__class__.__mro__ }}",
            "{# gone #}",
            "{{ 7 * 7 }}",
            "}}{{",
            "$(reboot)",
            "\x00\u202e",
        ]
    ),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain {# text #} }} %}", "plain {# text #} }} %}", id="text without a template stays as it is"),
        pytest.param("{{ inputs.cluster }}", "prod-eu", id="an input"),
        pytest.param("a {{inputs.cluster}}/{{ inputs.replicas }} z", "a prod-eu/3 z", id="several inputs in text"),
        pytest.param('{{ alert.labels["k8s.pod"] }}', "checkout-1", id="a label with a dot"),
        pytest.param("{{ inputs['ratio'] }}", "0.5", id="a number"),
        pytest.param("{{ inputs.urgent }}", "true", id="a boolean as YAML writes it"),
        pytest.param("{{ inputs.cluster | upper }}", "PROD-EU", id="a filter"),
        pytest.param("{{ inputs.zone | default('none') }}", "none", id="a default for what is not there"),
        pytest.param("{{ 'a' if inputs.replicas > 2 else 'b' }}", "a", id="a choice"),
        pytest.param("{{ inputs.cluster ~ '!' }}\n", "prod-eu!\n", id="text put together, the line end kept"),
        pytest.param("{{ '{{ inputs.cluster }}' }}", "{{ inputs.cluster }}", id="what is filled in is not read again"),
    ],
)
def test_render_fills_in_values_when_they_are_there(text: str, expected: str) -> None:
    """Paths, filters and choices become text."""
    assert expected == Templates().render(text, VARIABLES)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("{{ inputs.zone }}", "inputs.zone has no value", id="a missing input"),
        pytest.param("{{ inputs.zone | upper }}", "zone has no value", id="a missing input with a filter"),
        pytest.param(
            "{{ inputs }}", "inputs is a map, and only text or a number can be filled in", id="a map instead of a text"
        ),
        pytest.param(
            "{{ inputs.nothing }}",
            "inputs.nothing is empty, and only text or a number can be filled in",
            id="an empty value",
        ),
        pytest.param("{{ inputs.cluster.__class__ }}", "inputs.cluster.__class__ has no value", id="an attribute"),
        pytest.param("{{ inputs.cluster.__class__ | first }}", "__class__ has no value", id="an attribute in Jinja"),
        pytest.param(
            "{{ inputs.cluster.upper() }}",
            "a template only looks up, chooses and filters (Call is not allowed)",
            id="a method",
        ),
        pytest.param(
            "{{ range(9) }}", "a template only looks up, chooses and filters (Call is not allowed)", id="a function"
        ),
        pytest.param(
            "{{ 'a' * 9 }}", "a template only looks up, chooses and filters (Mul is not allowed)", id="a multiplication"
        ),
        pytest.param(
            "{{ 9 ** 9 }}", "a template only looks up, chooses and filters (Pow is not allowed)", id="a power"
        ),
        pytest.param(
            "{{ alert.labels[inputs.cluster] }}",
            'a template looks up by a fixed key, as in alert.labels["name"]',
            id="a key that is looked up",
        ),
        pytest.param(
            "{{ inputs | upper }}", "a filter takes text, a number or a list, not a map", id="a map in a filter"
        ),
        pytest.param("{% set a = 1 %}", "a template has no statements ({%), only {{ ... }}", id="a statement"),
        pytest.param("{{ 1 }}{# x #}", "a template has no comments ({#), only {{ ... }}", id="a comment"),
        pytest.param(
            "{{ inputs.cluster",
            "not a template: unexpected end of template, expected 'end of print statement'.",
            id="a template that is never closed",
        ),
        pytest.param(
            f"{{{{ {'(' * 490}1{')' * 490} }}}}", "a template that is nested too deeply", id="a template of parentheses"
        ),
        pytest.param("{{ 1 }}" + "a" * 1018, "the template has 1025 characters, more than 1024", id="a long template"),
    ],
)
def test_render_refuses_when_a_template_wants_too_much(text: str, sentence: str) -> None:
    """What cannot be filled in is an error that says why."""
    with pytest.raises(TemplateError) as raised:
        Templates().render(text, VARIABLES)

    assert sentence == str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ inputs.long }}", id="by a path"),
        pytest.param("{{ inputs.long | upper }}", id="by a filter"),
        pytest.param("{{ inputs.short | replace('a', inputs.short) }}", id="by replacing"),
        pytest.param("{{ inputs.short }}{{ inputs.short }}{{ inputs.short }}", id="by repeating"),
    ],
)
def test_render_refuses_when_the_result_is_too_long(text: str) -> None:
    """However a text grows, it stays bounded."""
    variables = {"inputs": {"long": "a" * (MAX_TEXT + 1), "short": "a" * 2000}}

    with pytest.raises(TemplateError, match="characters, more than 4096"):
        Templates().render(text, variables)


@given(HOSTILE)
def test_render_gives_back_the_label_when_its_value_is_hostile(value: str) -> None:
    """A label's text is filled in letter for letter, by a lookup and by Jinja alike."""
    variables = {"alert": {"labels": {"x": value}}, "inputs": {"secret": "s3cr3t"}}
    templates = Templates()

    looked_up = templates.render("<{{ alert.labels.x }}>", variables)
    by_jinja = templates.render("<{{ alert.labels.x ~ '' }}>", variables)

    assert f"<{value}>" == looked_up == by_jinja


@given(st.text(alphabet="{}%#| .()[]'\"inputsalertbcx_~-*0", max_size=40))
def test_render_answers_or_refuses_when_a_template_is_nonsense(text: str) -> None:
    """No template raises anything but TemplateError, and what is valid at load names only what it reads."""
    try:
        variables_of(text)
        result = Templates().render(text, VARIABLES)
    except TemplateError:
        return
    assert isinstance(result, str)


def test_render_reads_a_struct_when_one_is_given() -> None:
    """Fields of a value of the model are looked up by name, its methods are not."""
    variables = {"alert": {"resource": Resource(namespace="apps")}}
    templates = Templates()

    assert "apps" == templates.render("{{ alert.resource.namespace }}", variables)
    with pytest.raises(TemplateError, match="has no value"):
        templates.render("{{ alert.resource.__struct_fields__ }}", variables)


def test_render_values_renders_every_text_when_values_are_nested() -> None:
    """Keys, numbers and booleans stay as they are."""
    nested = {"{{ key }}": ["{{ inputs.cluster }}", 3, {"deep": "{{ inputs.replicas }}"}], "flag": True}

    rendered = Templates().render_values(nested, VARIABLES)

    assert {"{{ key }}": ["prod-eu", 3, {"deep": "3"}], "flag": True} == rendered


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param("plain", (), id="no template"),
        pytest.param("{{ inputs.a }}-{{ inputs.a }}", (("inputs", "a"),), id="each path once"),
        pytest.param(
            "{{ inputs.a | default(alert.labels['b.c']) }}",
            (("inputs", "a"), ("alert", "labels", "b.c")),
            id="paths inside filters",
        ),
        pytest.param("{{ 'x' if inputs.a is defined else 'y' }}", (("inputs", "a"),), id="a test"),
    ],
)
def test_variables_of_names_what_a_template_reads(text: str, paths: tuple[tuple[str, ...], ...]) -> None:
    """The linter learns every path."""
    assert paths == variables_of(text)


@pytest.mark.parametrize("text", ["", "a..b", "a.b-c", "a[b]", "1a", "a.b()", "a b"])
def test_parse_path_refuses_when_a_text_is_no_path(text: str) -> None:
    """Only names and quoted keys make a path."""
    assert parse_path(text) is None


def test_render_leaves_jinja_unloaded_when_a_template_is_a_path() -> None:
    """The hot path stays light."""
    code = (
        "import sys; from runbook_engine.templating import Templates;"
        "print(Templates().render('{{ inputs.a }}', {'inputs': {'a': 'b'}}), 'jinja2' in sys.modules)"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "b False\n" == printed
