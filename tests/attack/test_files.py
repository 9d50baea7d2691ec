"""Files and bundles that were meant to do harm: paths that climb, documents that explode, patterns that never end."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from runbook_engine.loading.bundle import InvalidBundle, dump_bundle, load_bundle
from runbook_engine.loading.files import load_files
from runbook_engine.registry import Registry
from runbook_engine.render.findings import render_findings
from runbook_engine.render.lines import plain
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.attack.siege import Siege
from tests.hostile.test_files import load
from tests.lab import CONFIG, RUNBOOK, bundle_in, post, simulated_engine
from tests.length import LONG

CANARY = "canary-of-a-file-outside"
HEAD = "apiVersion: runbook-engine/v1\nkind: "
SHED = RUNBOOK.replace("MODE", "auto")
TEST = HEAD + "RunbookTest\nmetadata: {name: t}\nrunbooks: ['FILE']\n"
PATHS = (
    "../secret.yaml", "./../secret.yaml", "lib/../../secret.yaml", "ABSOLUTE/secret.yaml", "link.yaml",
    "away/secret.yaml",
    "lib/..//../secret.yaml", "~/secret.yaml", "$HOME/secret.yaml", "file:///ABSOLUTE/secret.yaml", "..\\\\secret.yaml",
    "/proc/self/environ", "/dev/zero", "/etc/passwd", "http://127.0.0.1/secret.yaml", "s3://bucket/secret.yaml",
    "lib", ".",
    "", "..", "secret.yaml\\0.yaml", "%2e%2e/secret.yaml", "....//secret.yaml", "loop.yaml",
)  # fmt: skip
LARGE = 100_000 if LONG else 10_000
SLOWEST = 5.0  # seconds of computing: each takes a fraction of one
MOST = 64 * 1024 * 1024  # bytes


def laid(folder: Path) -> Path:
    """Return a folder of runbooks beside a secret, with links that lead there."""
    runbooks = folder / "runbooks"
    (runbooks / "lib").mkdir(parents=True)
    (runbooks / "engine.yaml").write_text(CONFIG)
    for name in ("secret.yaml", "secret.txt"):
        (folder / name).write_text(f"{CANARY}: {CANARY}\n{HEAD}RunbookPart\n")
    (runbooks / "link.yaml").symlink_to(folder / "secret.yaml")
    (runbooks / "away").symlink_to(folder)
    (runbooks / "loop.yaml").symlink_to(runbooks / "loop.yaml")
    return runbooks


def test_no_path_in_a_file_leads_out_of_the_folder_of_the_runbooks(tmp_path: Path) -> None:
    """Nor does a link that lies in it: what is outside is neither used nor shown."""
    siege = Siege("path climbing and links (zip slip)", "runbooks folder: uses, tests, links")
    runbooks = laid(tmp_path)
    for number, path in enumerate(PATHS):
        named = path.replace("ABSOLUTE", str(tmp_path))
        user = SHED.replace("steps:", f'uses: "{named}"\nsteps:').replace(
            "name: shed, owner", f"name: s{number}, owner"
        )
        for name, text in (("user.yaml", user), ("user.test.yaml", TEST.replace("'FILE'", f'"{named}"'))):
            (runbooks / name).write_text(text)
            for given in ([runbooks], [runbooks / name]) if LONG or number % 6 == 0 else ([runbooks / name],):
                loaded = load_files(given, Registry())
                shown = plain(render_findings(loaded.diagnostics)) + repr(loaded.bundle) + repr(loaded.tests)
                used = [each.name for each in loaded.bundle.runbooks] or loaded.tests
                siege.tried(f"{name} {named!r} {given}: {shown[:300]}", refused=CANARY not in shown and not used)
            (runbooks / name).unlink()

    siege.ends("a finding that names the path; not a line of the file")


def _bent(content: bytes) -> Iterator[tuple[str, bytes]]:
    tree = msgspec.msgpack.decode(content)
    yield "nothing", b""
    yield "zeros", bytes(1000)
    yield "a zip", b"PK\x03\x04" + bytes(100)
    yield "a pickle", b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."
    yield "half of it", content[: len(content) // 2]
    yield "and more", content + b"\xc0"
    yield "four billion things", b"\xdd\xff\xff\xff\xff"
    yield "a map of four billion", b"\xdf\xff\xff\xff\xff"
    yield "a text of four gigabytes", b"\xdb\xff\xff\xff\xff"
    yield "things in things", b"\x91" * 200_000
    yield "maps in maps", b"\x81\xa1a" * 200_000
    yield "another version", msgspec.msgpack.encode({**tree, "schema_version": 10**6})
    yield "JSON", json.dumps({"schema_version": 1}).encode()
    for key in tree:
        for wrong in (None, 1, "x", [["x"]]):
            if wrong != tree[key]:
                yield f"{key} = {wrong}", msgspec.msgpack.encode({**tree, key: wrong})


def test_no_bundle_is_half_believed(tmp_path: Path) -> None:
    """It is one document of values: no file in it has a name, no value of it is code."""
    siege = Siege("altered, truncated and explosive bundles", "bundle of the functions (zip and S3)")
    content = dump_bundle(bundle_in(tmp_path))

    for name, bent in _bent(content):
        tracemalloc.start()
        try:
            found: object = load_bundle(bent)
        except InvalidBundle as error:
            found = error
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        siege.tried(f"{name}: {str(found)[:200]} {peak}", refused=isinstance(found, InvalidBundle) and peak < MOST)

    assert load_bundle(content).runbooks
    siege.ends("not a bundle; and from S3 only with the digest that was reviewed")


def bombs() -> Mapping[str, bytes]:
    """Return documents that are small, and would be large, endless or code."""
    laughs = b"a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"a%d: &a%d [%b]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 30)
    )
    merged = b"m0: &m0 {x: 1}\n" + b"".join(
        b"m%d: &m%d {<<: [*m%d, *m%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 40)
    )
    tags = (
        b"!!python/object/apply:os.system ['touch owned']", b"!!python/name:os.system", b"!!python/module:os",
        b"!!python/object/new:subprocess.Popen [[id]]", b"!!js/function 'x'", b"!!binary aGk=", b"!<tag:x> y",
        b"!include /etc/passwd",
        b"!ENV ${HOME}", b"!!set {a}", b"!!omap [a: 1]", b"!!timestamp x", b"!!float x",
    )  # fmt: skip
    return {
        "a billion laughs": laughs,
        "merges of merges": merged,
        "an alias of itself": b"a: &a [*a]\n",
        "a map of itself": b"a: &a {b: *a}\n",
        "a key that is itself": b"&a {*a : 1}\n",
        "many anchors": b"".join(b"k%d: &k%d x\n" % (n, n) for n in range(LARGE)),
        "lists in lists": b"[" * LARGE,
        "maps in maps": b"{a: " * LARGE,
        "blocks in blocks": b"\n".join(b" " * n + b"- " for n in range(LARGE // 30)),
        "questions": b"? " * (LARGE // 2),
        "very many digits": b"a: " + b"9" * LARGE,
        "sixty to the power of many": b"a: " + b"59:" * (LARGE // 5) + b"59",
        "one long word": b"x" * (LARGE * 30),
        "very many documents": b"---\n" * (LARGE // 10),
        "a key very many times": b"a: 1\n" * (LARGE // 10),
        "a quote without an end": b'a: "' + b"\\u0041" * LARGE,
        "UTF-16": (HEAD + "Runbook\n").encode("utf-16"),
        "UTF-32": (HEAD + "Runbook\n").encode("utf-32"),
        **{f"the tag {tag[:24]!r}": b"a: " + tag + b"\n" for tag in tags},
    }


def test_no_document_explodes_or_runs(tmp_path: Path) -> None:
    """Each is refused with a finding, within time and memory, wherever it stands."""
    siege = Siege("YAML bombs, alias cycles, tags, huge documents", "runbook files")
    for name, bomb in bombs().items():
        for content in (bomb, SHED.encode() + b"x: 1\n" + bomb):
            tracemalloc.start()
            began = time.process_time()
            loaded = load(content)
            took, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            bounded = took < SLOWEST * 4 and peak < 200 * len(content) + MOST
            refused = bool(loaded.diagnostics) and not loaded.bundle.runbooks
            siege.tried(f"{name}: {took:.1f} s, {peak} bytes, {loaded.diagnostics[:1]}", refused=bounded and refused)

    siege.tried("something ran", refused=not Path("owned").exists())
    siege.ends("a finding with its place; no runbook")


PATTERNS = (
    "(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", "([a-zA-Z]+)*$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(.*)*(.*)*b",
    "((a{0,99}){0,99}){0,9}", "a{1000}{1000}", "(((a{100}){100}){100})", "(?=a)", "(?<=a)a", "(a)\\\\1",
    "(?P<n>a)(?P=n)", "(?R)",
    "[[:alpha:", "(", "*", "\\\\", "\\\\p{Greek}+$", "x*" * 300, "(" * 900 + ")" * 900, "a|" * 5000,
)  # fmt: skip


def test_no_pattern_and_no_value_makes_matching_slow(tmp_path: Path) -> None:
    """A pattern is linear in the text, or is refused when it is loaded; and a value is no pattern."""
    siege = Siege("regex bombs", "runbook matchers and label values")
    (tmp_path / "engine.yaml").write_text(CONFIG)
    for number, pattern in enumerate(PATTERNS):
        matcher = json.dumps('evil =~ "' + pattern.replace("\\\\", "\\").replace("\\", "\\\\") + '"')
        text = SHED.replace('"alertname = Hot"', f'"alertname = Hot", {matcher}').replace(
            "name: shed, o", f"name: s{number}, o"
        )
        (tmp_path / f"s{number}.yaml").write_text(text)
    values = ["a" * 4000 + "!", "a" * 4000, "x" * 4000, "aA" * 2000, *(each[:4000] for each in PATTERNS)]
    alerts = [
        {"status": "firing", "labels": {"alertname": "Hot", "part": "p", "evil": value, "n": str(number)}}
        for number, value in enumerate(values)
    ]

    began = time.process_time()
    loaded = load_files([tmp_path], Registry())
    engine = simulated_engine(loaded.bundle, SimulatedWorld())
    for alert in alerts:
        post(engine, json.dumps({"alerts": [alert]}).encode())
        for pattern in PATTERNS:
            took = time.process_time() - began
            siege.tried(f"{pattern[:40]} against {alert['labels']}: {took:.1f} s", refused=took < 4 * SLOWEST)

    assert len(loaded.bundle.runbooks) > 5
    assert loaded.errors
    siege.ends("linear in the text (RE2), or a finding")
