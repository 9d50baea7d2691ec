"""A page: lines as HTML for a browser that runs no script. Every text is escaped; nothing is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from runbook_engine.render.lines import Line

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
pre{font:14px/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid;padding:1rem}
.strong{font-weight:bold}.faint{opacity:.7}.good{color:#1a7f37}.bad{color:#d1242f}.warn{color:#9a6700}
button{font:inherit;padding:.5rem 1.5rem;margin-right:1rem}label{display:block;margin:.5rem 0}
"""


def render_page(title: str, lines: Iterable[Line], form: str = "") -> str:
    """Return a whole page. `form` is markup of ours, never text of others."""
    body = "\n".join(_html(found) for found in lines)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1><pre>{body}</pre>{form}</main></body></html>"
    )


def answer_form(*, names_person: bool) -> str:
    """Return the form of a question: yes or no, why, and where a person must be known, who answers."""
    person = '<label>Your token <input type="password" name="token" autocomplete="off" required></label>'
    return (
        '<form method="post">'
        f"{person if names_person else ''}"
        '<label>Why (optional) <input name="reason" maxlength="300"></label>'
        '<button name="answer" value="approve">Approve</button><button name="answer" value="deny">Deny</button>'
        "</form>"
    )


def _html(source: Line) -> str:
    return "".join(
        f'<span class="{span.mark}">{escape(span.text)}</span>' if span.mark else escape(span.text)
        for span in source.spans
    )
