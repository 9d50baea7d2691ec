"""Naming: the grammars of names that authors and alerts write, said once for both."""

from __future__ import annotations

import re

FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
ALIAS_NAME = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9_-]{1,128}")
QUEUE_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]{1,80}(\.fifo)?")
VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]+")  # of a function's environment
