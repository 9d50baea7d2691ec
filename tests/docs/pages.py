"""Pages: the documentation as blocks that can be checked. What a block is for stands in its info string.

`yaml shows=CODE` is a document with exactly these findings, every other document is clean. `file=NAME` writes the
block into the page's folder. `console` is a transcript: its commands are run and must print what stands there, `...`
stands for anything, `# exit 1` at the end of a command for another exit code. `sh run` and `python run` are run.
`sh elsewhere` is run by another test, `text` by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
LANGUAGES = frozenset(("yaml", "json", "toml", "python", "sh", "console", "text"))

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    words: frozenset[str]
    settings: dict[str, str]
    text: str

    def __str__(self) -> str:
        """Return where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(slots=True)
class Command:
    """One command of a transcript, and what it must print and return."""

    typed: str
    code: int
    lines: list[str] = field(default_factory=list)

    @property
    def pattern(self) -> re.Pattern[str]:
        """What the output must match: `...` stands for anything, on a line of its own for any number of lines."""
        wanted = ["(?:.*\n)*?" if line.strip() == "..." else _within(line) + "\n" for line in self.lines]
        return re.compile("".join(wanted))


def blocks_of(page: Path) -> tuple[Block, ...]:
    """Return every fenced block of a page, in order."""
    return tuple(_blocks(page, page.read_text(encoding="utf-8")))


def prose_of(page: Path) -> str:
    """Return a page without its blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def commands_of(block: Block) -> tuple[Command, ...]:
    """Return the commands of a transcript, each with what it prints."""
    commands: list[Command] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            code = _EXIT.search(line)
            commands.append(Command(_EXIT.sub("", line)[2:], int(code[1]) if code else 0))
        else:
            assert commands, f"{block}: a transcript begins with $ and a command"
            commands[-1].lines.append(line)
    return tuple(commands)


def _blocks(page: Path, text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        indent, info = found[1], found[2].split()
        body = "".join(line.removeprefix(indent) for line in found[3].splitlines(keepends=True))
        settings = dict(word.split("=", 1) for word in info if "=" in word)
        words = frozenset(word for word in info[1:] if "=" not in word)
        yield Block(page, text.count("\n", 0, found.start()) + 1, info[0] if info else "", words, settings, body)


def _within(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.rstrip().split("..."))
