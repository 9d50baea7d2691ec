"""The flag store as this service sees it: one JSON file, replaced as a whole by whoever changes a flag.

{"flags": {"/checkout/degraded_mode": {"value": "true", "version": 3}}}
"""

import json
from pathlib import Path

from cached import Unreadable

SWITCH = {"true": True, "false": False}


def parse_switch(name: str, text: str) -> bool:
    """Read "true" or "false"; anything else is an error, because guessing would switch something."""
    try:
        return SWITCH[text]
    except KeyError:
        raise ValueError(f'{name}="{text}" is neither "true" nor "false": correct it or leave it out') from None


def load_switch(path: Path, name: str, default: bool) -> bool:
    """Read one flag from the store; a store without this flag leaves the default."""
    try:
        store = json.loads(path.read_text(encoding="utf-8"))
        flag = store["flags"].get(name)
        return default if flag is None else parse_switch(name, flag["value"])
    except OSError as error:
        raise Unreadable(f"the flag store {path.name} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"the flag store {path.name} holds no usable flag {name}: {error}") from error
