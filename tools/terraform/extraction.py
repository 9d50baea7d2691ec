"""The schema of a provider, read from the bindings that CDK Terrain generates from it.

The wheels (`cdktn-provider-aws` and its siblings, MPL-2.0) carry JavaScript that names every attribute and block of
every resource with its type and flags. Reading that text needs neither Node nor Terraform nor the provider.
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from tools.terraform.schema import Schema

Argument = tuple[bool, str | None, str | None]  # is a block, nesting, type

CLASS = re.compile(r"^class (\w+) extends cdk\w+\.(\w+) \{", re.MULTILINE)
STRUCT = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
ARGUMENT = re.compile(
    r"^\s+(\w+): \{\n\s+value: .*?,\n\s+isBlock: (\w+),\n\s+type: \"(\w+)\",\n\s+storageClassType: \"(\w+)\",",
    re.MULTILINE | re.DOTALL,
)
FLAGS = re.compile(r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)", re.MULTILINE)
GETTERS = (
    ("tolist(this.getListAttribute", "stringList", "set"),
    ("getListAttribute", "stringList", "list"),
    ("getNumberListAttribute", "numberList", "list"),
    ("getStringMapAttribute", "stringMap", "map"),
    ("getNumberMapAttribute", "numberMap", "map"),
    ("getBooleanMapAttribute", "booleanMap", "map"),
    ("getStringAttribute", "string", "simple"),
    ("getNumberAttribute", "number", "simple"),
    ("getBooleanAttribute", "boolean", "simple"),
)


def extract_schema(wheel: Path) -> Schema:
    """Return the whole schema that a wheel of bindings tells."""
    schema: Schema = {"provider_version": None, "source": wheel.name, "resource": {}, "data": {}}
    with zipfile.ZipFile(wheel) as archive:
        bindings = archive.read(next(name for name in archive.namelist() if name.endswith(".jsii.tgz")))
    with tarfile.open(fileobj=io.BytesIO(bindings), mode="r:gz") as tar:
        for member in tar:
            file = tar.extractfile(member) if re.fullmatch(r"package/lib/[^/]+/index\.js", member.name) else None
            source = file.read().decode() if file else ""
            if "terraformResourceType" in source and (found := _Module(source).read()):
                kind, name, version, block = found
                schema[kind][name], schema["provider_version"] = block, version
    return schema


class _Module:
    """The JavaScript of one resource type."""

    def __init__(self, source: str) -> None:
        self.nested: dict[str, str] = {}
        self.root: tuple[str, str] | None = None
        self.structs = {name[0].upper() + name[1:]: _arguments(body) for name, body in STRUCT.findall(source)}
        classes = list(CLASS.finditer(source))
        ends = [*(found.start() for found in classes[1:]), len(source)]
        for found, end in zip(classes, ends, strict=True):
            name, base, body = found[1], found[2], source[found.start() : end]
            if base == "ComplexObject":
                self.nested[name.removesuffix("OutputReference")] = body
            elif base in {"TerraformResource", "TerraformDataSource"}:
                self.root = (base, body)

    def read(self) -> tuple[str, str, str, dict[str, Any]] | None:
        """Return kind, type name, provider version and block; None when the file is of something else."""
        if self.root is None:
            return None
        base, body = self.root
        name = re.search(r"terraformResourceType: '(\w+)'", body)
        version = re.search(r"providerVersion: '([^']+)'", body)
        assert name is not None, "the generator names every type"
        assert version is not None, "the generator names the provider's version in every type"
        written = body.find("synthesizeHclAttributes")
        block = self._block(body, _arguments(body[written:]) if written >= 0 else {}, ())
        return "resource" if base == "TerraformResource" else "data", name[1], version[1], block

    def _block(self, body: str, arguments: dict[str, Argument], above: tuple[str, ...]) -> dict[str, Any]:
        block: dict[str, Any] = {"attributes": {}, "blocks": {}}
        for key, *flags in FLAGS.findall(body):
            entry = dict(zip(("computed", "optional", "required"), (flag == "true" for flag in flags), strict=True))
            is_block, nesting, kind = arguments.get(key, (False, None, None))
            new = re.search(rf"new (\w+?)(List|Map|OutputReference)\(this, \"{key}\"(?:, (true|false))?\)", body)
            if new and new[1] not in above and new[1] in self.nested:
                inner = self._block(self.nested[new[1]], self.structs.get(new[1], {}), (*above, new[1]))
                listed = "set" if new[3] == "true" else "list"
                nesting = nesting or {"List": listed, "Map": "map"}.get(new[2], "struct")
                entry |= {"nesting": nesting, "single": new[2] == "OutputReference", **inner}
                # A block that is also computed is an attribute of object type: the SDK's "attributes as blocks".
                if is_block and not entry["computed"]:
                    block["blocks"][key] = entry
                else:
                    block["attributes"][key] = entry | {"type": "object"}
                continue
            if kind is None:
                kind, nesting = _getter(body, key, nesting)
            block["attributes"][key] = entry | {"type": kind or "any", "nesting": nesting or "simple"}
        for key, (is_block, nesting, kind) in arguments.items():  # can be set, but has no comment that tells its flags
            if key not in block["attributes"] and key not in block["blocks"]:
                entry = {"computed": False, "optional": True, "required": False}
                block["attributes"][key] = entry | {"type": "any" if is_block else kind, "nesting": nesting}
        return block


def _arguments(body: str) -> dict[str, Argument]:
    return {key: (block == "true", nesting, kind) for key, block, nesting, kind in ARGUMENT.findall(body)}


def _getter(body: str, key: str, nesting: str | None) -> tuple[str | None, str | None]:
    camel = re.sub(r"_(\w)", lambda found: found[1].upper(), key)
    access = re.search(rf"get {camel}\(\) \{{\s*return ([^;]+);", body)
    for text, kind, nested in GETTERS:
        if access and text in access[1]:
            return kind, nested
    return None, nesting
