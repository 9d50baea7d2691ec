"""Places: the files and folders that a person names, looked at before anything reads them."""

from __future__ import annotations

import os
from pathlib import Path

from runbook_engine.entrypoints.cli.failure import UsageError


def refuse_special(*paths: Path | str) -> None:
    """Raise UsageError for what is neither a file nor a folder, and would be waited for or gone round for ever."""
    for path in map(Path, paths):
        try:
            path.stat()
        except FileNotFoundError:
            continue  # said in its own words, with everything else that is wrong
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "that is no name of a file"
            raise UsageError(f"{path} cannot be read: {why} (name a file or a folder)") from error
        if not path.is_file() and not path.is_dir():
            raise UsageError(f"{path} is neither a file nor a folder (name a file or a folder)")
        if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
            raise UsageError(f"{path} cannot be read: Permission denied (name a file or a folder)")
