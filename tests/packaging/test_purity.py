"""The core stays pure: what it may import, and what importing it loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "agcore"
FRONTENDS = {
    "agcore_host": ROOT / "frontends" / "host" / "agcore_host",
    "agcore_trio": ROOT / "frontends" / "trio_server" / "agcore_trio",
    "agcore_asgi": ROOT / "frontends" / "asgi" / "agcore_asgi",
    "agcore_cli": ROOT / "frontends" / "cli" / "agcore_cli",
    "agcore_httpx": ROOT / "frontends" / "inprocess" / "agcore_httpx",
}
MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "agcore_host": (),
    "agcore_trio": ("agcore_host",),
    "agcore_asgi": ("agcore_host",),
    "agcore_cli": ("agcore_host", "agcore_trio"),
    "agcore_httpx": ("agcore_host",),
}
ALLOWED = frozenset(
    [
        "__future__",
        "abc",
        "ast",
        "base64",
        "binascii",
        "bisect",
        "codecs",
        "collections",
        "contextlib",
        "copy",
        "datetime",
        "difflib",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "importlib",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "struct",
        "textwrap",
        "tomllib",
        "types",
        "typing",
        "unicodedata",
        "urllib",
        "zlib",
        "msgspec",
        "multipart",
        "agcore",
    ]
)
"""The standard library's pure parts, and the two libraries that the core stands on."""
MOST_MODULES = 94
"""Of the core, that `import agcore` may load: each takes about 0.2 ms."""
IO = ("trio", "anyio", "asyncio", "httpx", "h11", "socket", "ssl", "logging", "threading", "subprocess", "selectors")


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere but under `if TYPE_CHECKING:`."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_imports_nothing_that_does_io(path: Path) -> None:
    assert {name.partition(".")[0] for name in imported(path)} <= ALLOWED


@pytest.mark.parametrize(("name", "folder"), FRONTENDS.items())
def test_frontends_share_the_host_and_do_not_import_each_other(name: str, folder: Path) -> None:
    others = set(FRONTENDS) - {name, *MAY_IMPORT[name]}
    for path in folder.rglob("*.py"):
        if path.name != "__main__.py":  # `python -m agcore_trio` is the command
            assert not others & {module.partition(".")[0] for module in imported(path)}, path


def loaded_by(statements: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after these statements."""
    code = f"{statements}\nimport sys\nprint('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split())


def test_importing_the_core_loads_no_io() -> None:
    before = loaded_by("")
    assert not (loaded_by("import agcore") - before) & set(IO) - {"threading"}


def test_importing_the_core_loads_what_every_request_needs_and_no_more() -> None:
    loaded = loaded_by("import agcore")
    of_the_core = {name for name in loaded if name.partition(".")[0] == "agcore"}
    assert len(of_the_core) <= MOST_MODULES, sorted(of_the_core)
    errors = {name for name in of_the_core if name.startswith("agcore.dialects.") and name.endswith(".errors")}
    assert not errors | loaded & {
        "agcore.conversation.values",
        "agcore.models.table",
        "agcore.routing.retry_after",
        "attr",  # each of its classes costs ten times a struct
        "difflib",
        "multipart",
    }


def test_a_gateway_that_only_passes_requests_through_loads_no_reader_or_writer_and_one_tap() -> None:
    served = """
from agcore_sim.dialogues import ANTHROPIC
from agcore_sim.story import SSE, Story, gateway
from tests.support.dialogues import asked
asked(ANTHROPIC, stream=True).upstream_answers(200, ANTHROPIC.stream, headers=SSE)
"""
    parts = {name.rpartition(".") for name in loaded_by(served) if name.startswith("agcore.dialects.")}
    assert [folder for folder, _, file in parts if file == "stream_tap"] == ["agcore.dialects.anthropic"]
    assert not {file for _, _, file in parts} & {"request_reader", "request_writer", "answer_reader", "answer_writer"}


def test_importing_every_module_of_the_core_loads_no_io() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in CORE.rglob("*.py")
    ]
    loaded = loaded_by("\n".join(f"import {module}" for module in sorted(modules))) - loaded_by("")
    assert "agcore.dialects.anthropic.request_reader" in loaded
    assert not loaded & set(IO) - {"threading"}  # which tempfile loads; the core does not import it


def test_the_core_exports_what_it_says() -> None:
    import agcore

    assert sorted(agcore.__all__) == sorted(set(agcore.__all__))
    for name in agcore.__all__:
        assert hasattr(agcore, name)
