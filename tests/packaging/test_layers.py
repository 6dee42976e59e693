"""The house rule of the core: a folder imports only folders above it.

Imports for annotations only (under `if TYPE_CHECKING:`) and imports inside functions count like all others, so the
folders are a strict order and a reader may stop at any of them without having to look below.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CORE: Final = Path(__file__).parents[2] / "agcore"

LAYERS: Final = (
    "protocol",
    "codecs",
    "models",
    "config",
    "conversation",
    "dialects",
    "conversion",
    "state",
    "ingress",
    "routing",
    "upstream",
    "telemetry",
    "machines",
    "operations",
    "mcp",
    "demo",
)
"""The folders of `agcore`, from the first to read to the last. What stands at the root may import any of them."""


def imports(path: Path) -> Iterator[str]:
    """The folders of `agcore` that a module imports anything of, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            first, *rest = node.module.split(".")
            if first == "agcore":
                yield from rest[:1] or [name.name for name in node.names]
        elif isinstance(node, ast.Import):
            assert not any(name.name.startswith("agcore") for name in node.names), path


def arrows() -> Iterator[tuple[str, str, str]]:
    """Every import between two folders: the module, its own folder, the imported one."""
    for path in sorted(CORE.rglob("*.py")):
        where = path.relative_to(CORE)
        if len(where.parts) > 1:
            for target in imports(path):
                yield where.as_posix(), where.parts[0], target


def test_every_folder_of_the_core_has_a_layer() -> None:
    assert {path.parent.name for path in CORE.glob("*/__init__.py")} == set(LAYERS)


def test_a_folder_imports_only_folders_above_it() -> None:
    level = {folder: number for number, folder in enumerate(LAYERS)}
    found = {(module, target) for module, own, target in arrows() if level.get(target, len(LAYERS)) > level[own]}
    assert found == set()


def test_folders_are_small_enough_to_be_looked_through() -> None:
    files = Counter(path.parent for path in CORE.rglob("*.py") if path.name != "__init__.py")
    assert max(files.values()) <= 25
    assert len(list(CORE.glob("*.py"))) <= 8
