"""Redaction: what evidence must not carry, taken out, and control characters made visible.

Logs are written by whoever can reach a service. What looks like a credential is replaced, rather too much than too
little: to the end of the line where a header may have several parts. Every pattern is bounded, so a hostile line
costs time in proportion to its length.
"""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "[redacted]"

_WORDS: Final = (
    r"pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|signing[_-]?key"
    r"|encryption[_-]?key|credential|session[_-]?id|signature"
)
_ASSIGNED: Final = r"""[\w.-]{0,40}["']?\s{0,3}(?:=>|[:=])\s{0,3}"""

_PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        REDACTED,
    ),
    (
        re.compile(r"""((?:authorization|cookie)["']?\s{0,3}[:=]\s{0,3}["']?)[^"'\r\n]+""", re.IGNORECASE),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (
        re.compile(
            rf"""((?:{_WORDS}){_ASSIGNED})(?:"(?:[^"\\\r\n]|\\.)*"?|'(?:[^'\\\r\n]|\\.)*'?|[^\s,;&"'\}}\]]+)""",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"([a-z][a-z0-9+.-]{1,20}://)[^\s/@:]{0,200}:[^\s/@]{1,200}@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"), REDACTED),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"), REDACTED),
    (
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|xox[abprs]-[A-Za-z0-9-]{10,})"),
        REDACTED,
    ),
)
_EMAIL: Final = re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}\b")

# C0 without line feed and tab, DEL and C1, Unicode's line ends and its marks that reorder what is displayed.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def redact(text: str, *, emails: bool = False) -> str:
    """Return the text without credentials, and on request without e-mail addresses."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _EMAIL.sub(REDACTED, text) if emails else text


def escape_controls(text: str) -> str:
    """Return the text with control characters written out, as in \\x1b; line feeds and tabs stay."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
