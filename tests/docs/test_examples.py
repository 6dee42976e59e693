"""The examples of the documentation run, print what stands below them, and pass `mypy --strict`."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = {"library": ROOT / "docs" / "library.md"}
"""Pages of which every example is complete in itself."""

CACHE: Final = ROOT / ".mypy_cache" / "examples"
"""Apart from the project's own, whose options are others."""

EXAMPLE: Final = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
CORE: Final = re.compile(r"<!-- A test runs this block.*?-->\n```python\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def examples() -> dict[str, tuple[str, str]]:
    """Code and what it prints, by a name that tells the place."""
    found = {}
    for name, page in PAGES.items():
        text = page.read_text("utf-8")
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            found[f"{name}_line_{line}"] = match[1], match[2] or ""
    return found


EXAMPLES: Final = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_stands_below_it(name: str) -> None:
    code, expected = EXAMPLES[name]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, name, "exec"), {"__name__": name})
    assert out.getvalue() == expected


def test_the_examples_are_strictly_typed(tmp_path: Path) -> None:
    modules = {name: code for name, (code, _) in EXAMPLES.items()}
    (modules["readme_core"],) = CORE.findall((ROOT / "README.md").read_text("utf-8"))
    for page in ("simulation", "write-a-frontend"):  # whose blocks are parts of one program
        blocks = EXAMPLE.findall((ROOT / "docs" / f"{page}.md").read_text("utf-8"))
        modules[page.replace("-", "_")] = "\n".join(code for code, _ in blocks)
    for name, code in modules.items():
        (tmp_path / f"{name}.py").write_text(code, "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(CACHE)]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
