"""Make hostile text harmless before it reaches a terminal.

A label may hold escape sequences that move the cursor, repaint what was printed or set the window's title, and
marks that reverse the reading order. All of it is shown as the escape that a programmer would write.
"""

from __future__ import annotations

import re

# Controls (C0, DEL, C1), soft hyphen, marks of direction and joining, line and paragraph separators, invisible
# operators, the byte order mark, interlinear marks, lone surrogates, and tag characters.
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Return the text with every control, direction and invisible character written as an escape."""
    return INVISIBLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    if character in SHORT:
        return SHORT[character]
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
