"""What is public: the names of three modules, compared with a committed list, and nothing else that anybody imports.

`python -m tests.packaging.test_public_names --write` writes the list anew, for a change that is meant.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LIST: Final = Path(__file__).with_name("public_names.txt")
PUBLIC: Final = ("agcore", "agcore.config", "agcore.protocol")


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
    assert found <= set(PUBLIC)


def test_what_most_users_never_need_is_not_loaded() -> None:
    late = (
        "config.parser",
        "demo",
        "conversion",
        "protocol.addresses",
        "protocol.patches",
        "ingress.report",
    )
    code = "import agcore, agcore.convert, sys; print(callable(agcore.convert), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    convert, *loaded = done.stdout.split()
    assert convert == "True"  # the function, which has the name of its module
    assert [name for name in loaded if name.startswith(tuple(f"agcore.{each}" for each in late))] == []


def documented(name: str, module: str) -> str:
    """The help of a public name, without what it inherits from outside."""
    value = getattr(importlib.import_module(module), name)
    return pydoc.plain(pydoc.render_doc(value)) if inspect.isclass(value) or inspect.isroutine(value) else ""


@pytest.mark.parametrize("module", PUBLIC)
def test_help_names_no_file_that_an_installed_package_lacks(module: str) -> None:
    for name in importlib.import_module(module).__all__:
        assert re.findall(r"\b(?:docs|tests)/(?!wire/)[\w/.-]+", documented(name, module)) == [], name


def test_help_of_the_two_machines_shows_what_a_frontend_may_call_and_nothing_else() -> None:
    import agcore

    def names(machine: type) -> set[str]:
        return {name for name in dir(machine) if not name.startswith("_")}

    assert names(agcore.Exchange) == {
        *("receive", "handle_timeout", "abandon"),
        *("wants_request", "wants", "deadline", "finished", "state"),
    }
    assert names(agcore.Gateway) == {
        *("open", "refuse", "reconfigure", "restore", "unsaved_state", "drain", "handle_timeout"),
        *("draining", "buffered"),
    }
    for machine, fields in ((agcore.Exchange, ("request", "write_deadline")), (agcore.Gateway, ("config", "deadline"))):
        text = documented(machine.__name__, "agcore")
        for field in fields:
            assert re.search(rf"^ \|\s+{field}: ", text, re.MULTILINE), (machine, field)


PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "frontends").rglob("*.md")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_import_only_what_is_public(page: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        assert set(imported(block, page)) <= set(PUBLIC)


if __name__ == "__main__":
    assert sys.argv[1:] == ["--write"], __doc__
    LIST.write_text(public_names(), "utf-8")
