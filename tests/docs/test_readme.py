"""What the README shows is true: its example runs, its configuration is one, its recipes are those of `agcore demo`."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from agcore.config.parser import parse, secret_refs, startup_problems
from agcore.routing.catalog import Catalog, Resolution
from agcore_cli.recipes import recipes

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "docs" / "CHANGELOG.md"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_example_without_sockets_prints_what_stands_below_it() -> None:
    found = re.search(
        r"^<!-- A test runs .*?-->\n```python\n(.*?)```\n\n```text\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL
    )
    assert found is not None
    code, printed = found.groups()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert out.getvalue() == printed


def test_the_configuration_means_what_the_text_says() -> None:
    (text,) = blocks("toml")
    secrets = {reference: f"sk-any-0123456789-{number}" for number, reference in enumerate(secret_refs(text))}
    parsed = parse(text, secrets=secrets, environ={})
    assert (parsed.warnings, parsed.unused, startup_problems(parsed.config)) == ((), (), ())
    catalog = Catalog(parsed.config)

    def target(name: str) -> str:
        found = catalog.resolve(name)
        assert isinstance(found, Resolution)
        return f"{found.targets[0].provider.name}/{found.targets[0].model}"

    assert {
        name: target(name) for name in ("claude-sonnet-4-5", "claude-haiku-3-5", "small", "llama3", "local/any")
    } == {
        "claude-sonnet-4-5": "anthropic/claude-sonnet-4-5",
        "claude-haiku-3-5": "anthropic/claude-haiku-4-5",
        "small": "local/qwen3:8b",
        "llama3": "local/llama3",
        "local/any": "local/any",
    }
    assert not isinstance(catalog.resolve("gpt-5"), Resolution)


@pytest.mark.parametrize("title", [recipe.title for recipe in recipes("") if not recipe.title.startswith("curl")])
def test_the_recipes_are_those_of_the_demo(title: str) -> None:
    (recipe,) = (recipe for recipe in recipes("http://127.0.0.1:8045") if recipe.title == title)
    assert recipe.text in TEXT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []
