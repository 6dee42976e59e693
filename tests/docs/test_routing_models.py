"""What docs/routing.md shows of a configuration is what `agcore models` prints for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agcore.config.parser import parse, secret_refs
from agcore.config.values import ModelRule
from agcore_cli.main import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "routing.md"
BLOCK = re.compile(r"^```(toml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def configurations() -> list[tuple[str, list[tuple[str, str]]]]:
    """Each configuration of the page with the commands below it and what they print.

    The page's first one has the providers that the others go on from.
    """
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for kind, text in BLOCK.findall(PAGE.read_text("utf-8")):
        if kind == "toml":
            found.append((found[0][0] + text if found and "[[providers]]" not in text else text, []))
        elif text.startswith("$ agcore models "):
            command, printed = text.split("\n", 1)
            found[-1][1].append((command.removeprefix("$ "), printed))
    return found


COMMANDS = [(text, command, printed) for text, commands in configurations() for command, printed in commands]


@pytest.mark.parametrize(("text", "command", "printed"), COMMANDS, ids=[command for _, command, _ in COMMANDS])
def test_a_command_prints_what_the_page_shows(
    text: str,
    command: str,
    printed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for reference in secret_refs(text):
        monkeypatch.setenv(reference.removeprefix("env:"), "sk-any-0123456789abcdef")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agcore.toml").write_text(text, "utf-8")
    monkeypatch.setenv("AGCORE_CONFIG", "agcore.toml")
    _, *arguments = command.split()
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (printed, "")


def test_every_configuration_of_the_page_is_in_effect_without_a_warning() -> None:
    for text, _ in configurations():
        secrets = {reference: f"sk-any-0123456789-{number}" for number, reference in enumerate(secret_refs(text))}
        parsed = parse(text, secrets=secrets, environ={})
        assert (parsed.warnings, parsed.unused) == ((), ())


def test_the_page_shows_every_form_of_a_line() -> None:
    forms: set[str] = set()
    for text, _ in configurations():
        secrets = {reference: f"sk-any-0123456789-{number}" for number, reference in enumerate(secret_refs(text))}
        parsed = parse(text, secrets=secrets, environ={})
        forms.update(form for rule in parsed.config.models for form in forms_of(rule))
    assert forms == {"plain", "chain", "pool", "asked", "dialect"}


def forms_of(rule: ModelRule) -> set[str]:
    traits = {
        "chain": len(rule.steps) > 1,
        "pool": any(len(step) > 1 for step in rule.steps),
        "asked": any(model == "*" for step in rule.steps for _, model in step),
        "dialect": bool(rule.dialect),
    }
    return {name for name, has in traits.items() if has} or {"plain"}
