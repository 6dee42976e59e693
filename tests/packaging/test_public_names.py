"""What is public: the names of three modules, compared with a committed list, and nothing else that anybody imports.

`python -m tests.packaging.test_public_names --write` writes the list anew, for a change that is meant.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LIST: Final = Path(__file__).with_name("public_names.txt")
PUBLIC: Final = ("agcore", "agcore.config", "agcore.protocol")

STILL_IMPORTED: Final = frozenset(
    {
        "agcore.codecs.sse",
        "agcore.codecs.url",
        "agcore.config.parser",
        "agcore.config.values",
        "agcore.gateway",
        "agcore.machines.exchange",
        "agcore.protocol.addresses",
        "agcore.protocol.effects",
        "agcore.protocol.http",
        "agcore.protocol.inputs",
    }
)
"""Private modules that frontends import until each is asked for at its public home."""


def public_names() -> str:
    """Every public name, a line each."""
    return "".join(
        f"{module}.{name}\n" for module in PUBLIC for name in sorted(importlib.import_module(module).__all__)
    )


def imported(code: str, path: Path) -> Iterator[str]:
    """The modules of the core that Python code imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(code, str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "agcore")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "agcore":
            yield node.module or ""


def test_the_public_names_are_those_of_the_list() -> None:
    assert public_names() == LIST.read_text("utf-8"), "python -m tests.packaging.test_public_names --write"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_once(name: str) -> None:
    module = importlib.import_module(name)
    assert len(module.__all__) == len(set(module.__all__))
    for each in module.__all__:
        assert getattr(module, each) is not None
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_the_root_has_all_words_of_the_protocol() -> None:
    agcore, protocol = (importlib.import_module(name) for name in ("agcore", "agcore.protocol"))
    assert set(protocol.__all__) <= set(agcore.__all__)
    for name in protocol.__all__:
        assert getattr(agcore, name) is getattr(protocol, name)


def test_frontends_import_only_what_is_public() -> None:
    files = (ROOT / "frontends").rglob("*.py")
    found = {module for path in files for module in imported(path.read_text("utf-8"), path)}
    assert found - set(PUBLIC) <= STILL_IMPORTED


PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "frontends").rglob("*.md")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_import_only_what_is_public(page: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        assert set(imported(block, page)) <= set(PUBLIC)


if __name__ == "__main__":
    assert sys.argv[1:] == ["--write"], __doc__
    LIST.write_text(public_names(), "utf-8")
