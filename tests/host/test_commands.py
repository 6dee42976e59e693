"""Secrets that commands print: how they are run, and when they are run again."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from agcore.protocol import CredentialCooled, Warned
from agcore.protocol.fault import FailureKind
from agcore_host.commands import AT_MOST_EVERY, LASTS, Commands
from agcore_host.settings import Source, load
from agcore_host.watch import Watch

REFUSED = CredentialCooled(
    key="one#1",
    provider="one",
    model="m",
    failure=FailureKind.CREDENTIAL_REJECTED,
    refused=True,
    message="it is left alone",
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def python(program: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}"


COUNT = python("import pathlib; p = pathlib.Path('count'); n = len(p.read_text()) if p.exists() else 0; "
               "p.write_text('x' * (n + 1)); print(' sk-run-%d \\n' % n)")  # fmt: skip


def test_what_a_command_prints_is_kept_until_it_is_old(tmp_path: Path) -> None:
    clock = Clock()
    commands = Commands(clock)
    assert commands.output(COUNT, beside=tmp_path) == "sk-run-0"
    clock.now = LASTS - 1
    assert not commands.are_due()
    assert commands.output(COUNT, beside=tmp_path) == "sk-run-0"
    clock.now = LASTS
    assert commands.are_due()
    assert commands.output(COUNT, beside=tmp_path) == "sk-run-1"
    assert not commands.are_due()


def test_a_refused_key_has_it_run_again_and_not_too_often(tmp_path: Path) -> None:
    clock = Clock()
    commands = Commands(clock)
    commands.hear(REFUSED)
    assert commands.output(COUNT, beside=tmp_path) == "sk-run-0"
    commands.hear(Warned("something else"))
    clock.now = AT_MOST_EVERY
    assert not commands.are_due()
    commands.hear(REFUSED)
    assert commands.are_due()
    assert commands.output(COUNT, beside=tmp_path) == "sk-run-1"
    clock.now += AT_MOST_EVERY
    assert not commands.are_due(), "the doubt was about what stood there before"
    commands.hear(REFUSED)
    clock.now += 1
    assert commands.output(COUNT, beside=tmp_path) == "sk-run-2"


@pytest.mark.parametrize(
    "command", ["no-such-command-anywhere", "", "'unclosed", python("raise SystemExit('no')"), python("print()")]
)
def test_a_command_that_fails_gives_nothing(command: str, tmp_path: Path) -> None:
    assert Commands().output(command, beside=tmp_path) is None


def test_one_that_fails_later_gives_what_it_gave_before(tmp_path: Path) -> None:
    clock = Clock()
    commands = Commands(clock)
    once = python("import pathlib; p = pathlib.Path('done'); p.mkdir(); print('sk-once')")
    assert commands.output(once, beside=tmp_path) == "sk-once"
    clock.now = LASTS
    assert commands.output(once, beside=tmp_path) == "sk-once"


def test_no_shell_has_a_say(tmp_path: Path) -> None:
    said = Commands().output(python("import sys; print(sys.argv[1:])") + " $HOME '*' ; x", beside=tmp_path)
    assert said == "['$HOME', '*', ';', 'x']"


def test_a_configuration_takes_keys_from_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.toml"
    path.write_text(f"[[providers]]\npreset = 'openai'\nkeys = ['''cmd:{COUNT}''', 'cmd:no-such-command']\n")
    source = Source(str(path), {})
    loaded = source.load().parsed
    assert [key.reveal() for key in loaded.config.providers[0].keys] == ["sk-run-0"]
    assert loaded.warnings[-1] == (
        'providers[0].keys[1]: the command "no-such-command" is not there, fails, or prints nothing; left out'
    )
    assert [key.reveal() for key in source.load().parsed.config.providers[0].keys] == ["sk-run-0"]
    assert [key.reveal() for key in load(str(path), {}).parsed.config.providers[0].keys] == ["sk-run-1"]


def test_a_watch_says_when_it_is_time(tmp_path: Path) -> None:
    clock = Clock()
    commands = Commands(clock)
    path = tmp_path / "a.toml"
    path.write_text("")
    watch = Watch(path, are_due=commands.are_due)
    commands.output(COUNT, beside=tmp_path)
    assert not watch.look()
    clock.now = LASTS
    assert watch.look()
