"""Evaluate the CEL of rendered admission policies on a table of requests; run by scripts/scan with cel-python.

Usage: evaluate_admission.py CASES NAME=RENDERED...   The first rendering answers cases that name no values.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import celpy
import yaml

RUNNER = {"username": "system:serviceaccount:runbooks:shop-runner", "groups": ["system:authenticated"]}


def main(arguments: Sequence[str]) -> int:
    """Print the cases that are answered otherwise than the table says; return the exit code."""
    cases = yaml.safe_load(Path(arguments[0]).read_text())
    rendered = {name: policies_of(Path(path)) for name, _, path in (given.partition("=") for given in arguments[1:])}
    first = next(iter(rendered))
    wrong = [
        f"{case['policy']}: {case['name']}: {'allowed' if not case['allowed'] else 'denied'}"
        for case in cases
        if is_allowed(rendered[case.get("values", first)][case["policy"]], case) != case["allowed"]
    ]
    print("\n".join([*wrong, f"{len(cases)} requests, {len(wrong)} wrong answers"]))
    return 1 if wrong or not cases else 0


def policies_of(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the policies of a rendering by their subject, the last part of their name."""
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    policies = [document for document in documents if document["kind"] == "ValidatingAdmissionPolicy"]
    return {policy["metadata"]["name"].rpartition(".")[2]: policy["spec"] for policy in policies}


def is_allowed(policy: Mapping[str, Any], case: Mapping[str, Any]) -> bool:
    """Whether the API server would let a request pass; an expression that fails denies, as failurePolicy says."""
    values = {
        "object": case.get("object"),
        "oldObject": case.get("oldObject"),
        "request": {"namespace": case.get("namespace", "apps"), "userInfo": case.get("user", RUNNER)},
    }
    if not all(answers(policy["matchConditions"], values)):
        return True
    return all(answers(policy["validations"], values))


def answers(clauses: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Iterator[bool]:
    """Yield what each expression says of the request."""
    environment = celpy.Environment()
    known = {name: celpy.json_to_cel(value) for name, value in values.items()}
    for clause in clauses:
        program = environment.program(environment.compile(clause["expression"]))
        try:
            yield bool(program.evaluate(known))
        except celpy.CELEvalError:
            yield False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
