"""The page docs/actions.md, printed: what every installed action, collector, check and guardrail says of itself."""

from __future__ import annotations

import sys

from runbook_engine.documents.check import CheckDocument
from runbook_engine.documents.runbook import GuardrailsDocument
from runbook_engine.loading.json_schema import document_schema
from runbook_engine.registry import Registry
from runbook_engine.render.reference import render_reference

PARTS = {
    "Checks": ("One grammar for `verify`, `when` and `require`; a list means all.", CheckDocument.__name__),
    "Guardrails": ("What may forbid a change, asked before every one.", GuardrailsDocument.__name__),
}


def reference() -> str:
    """Return the page."""
    registry = Registry()
    definitions = document_schema(registry)["$defs"]
    return render_reference(registry.actions.values(), registry.collectors.values(), definitions, PARTS)


def main() -> None:
    """Print it."""
    sys.stdout.write(reference())


if __name__ == "__main__":
    main()
