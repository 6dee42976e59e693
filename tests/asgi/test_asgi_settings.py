"""Where the ready-made app finds its configuration and its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from agcore.config import Secret
from agcore_asgi.settings import find_file, load, resolve


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_named_file_comes_first_even_if_it_is_missing(here: Path) -> None:
    (here / "agcore.toml").touch()
    assert find_file({"AGCORE_CONFIG": "other.toml"}) == Path("other.toml")


def test_the_directorys_file_comes_before_the_users(here: Path) -> None:
    users = here / "xdg" / "agcore" / "agcore.toml"
    users.parent.mkdir(parents=True)
    users.touch()
    assert find_file({"XDG_CONFIG_HOME": str(here / "xdg")}) == users
    (here / "agcore.toml").touch()
    assert find_file({"XDG_CONFIG_HOME": str(here / "xdg")}) == Path("agcore.toml")


def test_the_users_file_is_below_the_home_directory(here: Path) -> None:
    users = here / ".config" / "agcore" / "agcore.toml"
    users.parent.mkdir(parents=True)
    users.touch()
    assert find_file({"HOME": str(here)}) == users


def test_without_a_file_providers_come_from_the_environment(here: Path) -> None:
    environ = {"HOME": str(here), "OPENAI_API_KEY": "sk-o"}
    assert find_file(environ) is None
    assert [provider.keys for provider in load(environ).config.providers] == [(Secret("sk-o"),)]


def test_secrets_are_read_from_the_environment_and_from_files(here: Path) -> None:
    (here / "key").write_text("sk-file\n")
    (here / "agcore.toml").write_text(
        f'[[providers]]\npreset = "openai"\nkeys = ["env:ONE", "file:{here / "key"}", "sk-literal"]\n'
    )
    assert load({"ONE": "sk-env"}).config.providers[0].keys == (
        Secret("sk-env"),
        Secret("sk-file"),
        Secret("sk-literal"),
    )


def test_what_cannot_be_looked_up_is_left_out(here: Path) -> None:
    (here / "binary").write_bytes(b"\xff\xfe")
    references = ["env:NONE", "env:EMPTY", "file:missing", f"file:{here / 'binary'}", f"file:{here}", "env:ONE"]
    assert resolve(references, {"EMPTY": "", "ONE": "1"}) == {"env:ONE": "1"}
