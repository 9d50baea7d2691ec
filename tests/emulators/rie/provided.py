"""What Lambda itself puts beside the code of a function: the runtime client and boto3, nothing of this environment."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOTS = ("awslambdaric", "boto3")
NAME = re.compile(r"[A-Za-z0-9._-]+")


def provide(folder: Path) -> Path:
    """Fill a folder with links to the packages that the runtime brings; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(closure(ROOTS)):
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            link = folder / top
            if not link.is_symlink():
                link.symlink_to(Path(str(found.locate_file(top))))
    return folder


def closure(roots: tuple[str, ...]) -> set[str]:
    """Return the distributions that some need, themselves included; what is not installed here is not needed here."""
    known: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        known.add(name)
        waiting += [found[0] for need in needs if "extra ==" not in need and (found := NAME.match(need))]
    return known
