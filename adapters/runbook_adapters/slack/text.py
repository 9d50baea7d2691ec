"""Text as Slack takes it: what could be markup, a link or a mention is spelled out, and nothing is longer than allowed.

Slack reads `<!channel>` and `<@U024BE7LH>` as mentions only between angle brackets, so text without them calls nobody.
"""

from __future__ import annotations

ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
CUT = "..."


def escaped(text: str, most: int) -> str:
    """Return text of at most so many characters as Slack counts them, cut between characters and never within one."""
    parts = [ESCAPED.get(character, character) for character in text if character.isprintable() or character in "\n\t"]
    if sum(map(len, parts)) <= most:
        return "".join(parts)
    room, kept = most - len(CUT), 0
    for count, part in enumerate(parts):
        room -= len(part)
        if room < 0:
            break
        kept = count + 1
    return "".join(parts[:kept]) + CUT


def one_line(text: str, most: int) -> str:
    """Return text as one line."""
    return escaped(" ".join(text.split()), most)
