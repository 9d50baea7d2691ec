"""A reader of Terraform folders that finds what `terraform validate` would find, where there is no Terraform.

Found are: unknown types; unknown, read-only, missing and repeated arguments and blocks (also inside `dynamic`);
references to what is not declared; attributes that a type does not have; and the arguments of local modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2
from lark.exceptions import LarkError

from tools.terraform.schema import Schema

Body = Mapping[str, Any]

MARK = "__is_block__"  # python-hcl2 tells blocks from arguments with it
META = {"count", "for_each", "depends_on", "provider", "lifecycle", "connection", "provisioner"}
MODULE_META = {"source", "version", "providers", "count", "for_each", "depends_on", MARK}
DECLARATIONS = {"variable": "var", "module": "module", "output": "output"}
IMPLIED = re.compile(r"(?<![\w.\]])(?:each|self|count|path|terraform)\.\w+")
LOOP = re.compile(r"\bfor\s+(\w+)(?:\s*,\s*(\w+))?\s+in\b")
NAMED = re.compile(r"(?<![\w.\]\-])(var|local|module)\.([A-Za-z_][\w-]*)(?:\.(\w+))?")
OF_TYPE = re.compile(r"(?<![\w.\]\-])(data\.)?([a-z]+_\w+)\.([A-Za-z_][\w-]*)((?:\[[^\[\]]*\])*)(?:\.(\w+))?")


class Folder:
    """One folder of Terraform files, parsed: what it declares, and what could not be parsed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: list[tuple[Path, Body]] = []
        self.unreadable: list[str] = []
        for file in sorted(path.glob("*.tf")):
            try:
                self.files.append((file, _plain(hcl2.loads(file.read_text(encoding="utf-8")))))
            except LarkError as error:
                self.unreadable.append(f"{file}: cannot be parsed: {str(error).splitlines()[0][:160]}")
        self.declared: dict[str, dict[str, Any]] = {"var": {}, "local": {}, "module": {}, "output": {}}
        self.typed: dict[str, dict[str, dict[str, Any]]] = {"resource": {}, "data": {}}
        for _, content in self.files:
            self._declare(content)

    def _declare(self, content: Body) -> None:
        for block, kind in DECLARATIONS.items():
            for each in content.get(block, ()):
                self.declared[kind] |= each
        for each in content.get("locals", ()):
            self.declared["local"] |= {name: value for name, value in each.items() if name != MARK}
        for kind, of_type, name, body in _typed_blocks(content):
            self.typed[kind].setdefault(of_type, {})[name] = body

    def resources(self) -> int:
        """Return how many resources are declared."""
        return sum(len(named) for named in self.typed["resource"].values())

    def module(self, name: str) -> Path | None:
        """Return the folder of a local module; None when it is not a local one."""
        source = _unquoted(self.declared["module"][name].get("source", ""))
        return (self.path / source).resolve() if source.startswith(".") else None


class Checker:
    """Checks folders against a schema. Each folder is parsed once, also when several others use it as a module."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.providers = {name.split("_")[0] for kind in ("resource", "data") for name in schema[kind]}
        self.parsed: dict[Path, Folder] = {}

    def folder(self, path: Path) -> Folder:
        """Return a folder, parsed."""
        key = path.resolve()
        if key not in self.parsed:
            self.parsed[key] = Folder(path)
        return self.parsed[key]

    def check(self, path: Path) -> list[str]:
        """Return what is wrong in a folder, one sentence each."""
        folder = self.folder(path)
        found = [*folder.unreadable]
        for file, content in folder.files:
            found += self._check_file(folder, file, content)
        for name, module in folder.declared["module"].items():
            found += self._check_module(folder, name, module)
        return list(dict.fromkeys(found))

    def _check_file(self, folder: Folder, file: Path, content: Body) -> Iterator[str]:
        for kind, of_type, name, body in _typed_blocks(content):
            where = f"{file}: {'data.' if kind == 'data' else ''}{of_type}.{name}"
            if (block := self.schema[kind].get(of_type)) is not None:
                top = {key: value for key, value in body.items() if key not in META}
                yield from _check_body(where, top, block)
            elif of_type.split("_")[0] in self.providers:
                yield f"{where}: unknown {kind} type {of_type} (a new one? see tools/terraform/README.md)"
            yield from self._check_references(folder, where, body)
        for kind in ("locals", "output", "provider", "check", "module"):
            for each in content.get(kind, ()):
                for name, body in each.items():
                    yield from self._check_references(folder, f"{file}: {kind}.{name}", body)

    def _check_module(self, folder: Folder, name: str, module: Body) -> Iterator[str]:
        where = f"{folder.path}: module.{name}"
        path = folder.module(name)
        if path is None:
            return
        if not path.is_dir():
            yield f"{where}: there is no folder {module['source']}"
            return
        wanted = self.folder(path).declared["var"]
        given = set(module) - MODULE_META
        yield from (f"{where}: the module has no variable {key}" for key in sorted(given - set(wanted)))
        for key, variable in wanted.items():
            if "default" not in variable and key not in given:
                yield f"{where}: the required variable {key} is not set"

    def _check_references(self, folder: Folder, where: str, value: Any) -> Iterator[str]:
        for expression in _expressions(value):
            text = IMPLIED.sub(" ", expression)
            bound = {name for pair in LOOP.findall(text) for name in pair}
            for kind, name, attribute in NAMED.findall(text):
                if kind in bound:
                    continue
                if name not in folder.declared[kind]:
                    yield f"{where}: reference to undeclared {kind}.{name}"
                elif kind == "module" and attribute and not self._has_output(folder, name, attribute):
                    yield f"{where}: module {name} has no output {attribute}"
            for prefix, of_type, name, _, attribute in OF_TYPE.findall(text):
                if of_type.split("_")[0] in self.providers and of_type not in bound:
                    yield from self._check_typed(folder, where, prefix, of_type, name, attribute)

    def _has_output(self, folder: Folder, module: str, output: str) -> bool:
        path = folder.module(module)
        return path is None or not path.is_dir() or output in self.folder(path).declared["output"]

    def _check_typed(
        self, folder: Folder, where: str, prefix: str, of_type: str, name: str, attribute: str
    ) -> Iterator[str]:
        kind = "data" if prefix else "resource"
        block = self.schema[kind].get(of_type)
        if name not in folder.typed[kind].get(of_type, {}):
            yield f"{where}: reference to undeclared {prefix}{of_type}.{name}"
        elif block and attribute and attribute not in block["attributes"] and attribute not in block["blocks"]:
            yield f"{where}: {prefix}{of_type} has no attribute {attribute}"


def _check_body(where: str, body: Body, block: Body) -> Iterator[str]:
    """Judge the arguments and blocks of one body."""
    known = {**block["attributes"], **block["blocks"]}
    given = {key: value for key, value in body.items() if key not in {MARK, "dynamic"}}
    made = [(name, spec) for each in body.get("dynamic", ()) for name, spec in each.items() if name != MARK]
    for key, value in given.items():
        if key in block["blocks"]:
            yield from _check_block(where, key, value, block["blocks"][key])
        elif key in block["attributes"]:
            yield from _check_argument(where, key, value, block["attributes"][key])
        else:
            kind = "block" if _is_block(value) else "argument"
            near = [name for name in known if name.startswith(key) or key.startswith(name)]
            yield f"{where}: unknown {kind} {key}" + (f" (did you mean {near[0]}?)" if near else "")
    for name, spec in made:
        if name not in block["blocks"] and block["attributes"].get(name, {}).get("type") != "object":
            yield f'{where}: dynamic "{name}": there is no such block'
            continue
        if not spec.get("content"):
            yield f'{where}: dynamic "{name}" has no content'
        for inner in spec.get("content", ()):
            yield from _check_body(f"{where}.{name}", inner, known[name])
    present = set(given) | {name for name, _ in made}
    for key, entry in known.items():
        if entry["required"] and key not in present:
            yield f"{where}: the required {'block' if key in block['blocks'] else 'argument'} {key} is missing"


def _check_block(where: str, key: str, value: Any, block: Body) -> Iterator[str]:
    if not _is_block(value):
        yield f"{where}: {key} is a block, not an argument (leave out the =)"
        return
    if block.get("single") and len(value) > 1:
        yield f"{where}: block {key} is given {len(value)} times, at most once is allowed"
    for inner in value:
        yield from _check_body(f"{where}.{key}", inner, block)


def _check_argument(where: str, key: str, value: Any, argument: Body) -> Iterator[str]:
    if not (argument["optional"] or argument["required"]):
        yield f"{where}: {key} is read-only"
    if not _is_block(value):
        return
    if argument.get("type") != "object":
        yield f"{where}: {key} is an argument, not a block"
        return
    for inner in value:
        yield from _check_body(f"{where}.{key}", inner, argument)


def _typed_blocks(content: Body) -> Iterator[tuple[str, str, str, Body]]:
    """Yield kind, type, name and body of every resource and data source of a file."""
    for kind in ("resource", "data"):
        for each in content.get(kind, ()):
            for of_type, named in each.items():
                if of_type != MARK:
                    yield from ((kind, of_type, name, body) for name, body in named.items() if name != MARK)


def _plain(value: Any) -> Any:
    """Return what python-hcl2 parsed, without its quotes around keys and its marks of comments."""
    if isinstance(value, dict):
        return {
            _unquoted(key): _plain(inner) for key, inner in value.items() if key == MARK or not key.startswith("__")
        }
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _unquoted(text: Any) -> str:
    quoted = isinstance(text, str) and len(text) > 1 and text[0] == text[-1] == '"'
    return str(text[1:-1] if quoted else text)


def _is_block(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) and each.get(MARK) for each in value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != MARK:
                yield from _texts(key)
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _expressions(value: Any) -> Iterator[str]:
    """Yield the insides of ${...} and %{...}, with the string literals within them blanked."""
    for text in _texts(value):
        if found := _expression(text.replace("$${", "").replace("%%{", "")):
            yield found


def _expression(text: str) -> str:
    kept: list[str] = []
    inside: list[str] = []  # what we are in, innermost last: "{" an expression, '"' a string literal
    at = 0
    while at < len(text):
        letter, top = text[at], inside[-1] if inside else ""
        if text[at : at + 2] in {"${", "%{"} and top != "{":
            inside.append("{")
            kept.append(" ")
            at += 1
        elif top == "{":
            if letter in '"{':
                inside.append(letter)
            elif letter == "}":
                inside.pop()
            kept.append(" " if letter == '"' else letter)
        elif top == '"' and letter == "\\":
            at += 1
        elif top == '"' and letter == '"':
            inside.pop()
            kept.append('""')
        at += 1
    return "".join(kept)
