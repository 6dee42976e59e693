"""Where a user's files are, and which file of a working directory counts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from agcore_host import places, trust
from agcore_host.places import Found, find, state_dir, user_file
from agcore_host.settings import SettingsError, Source, load
from agcore_host.watch import Watch

PORT = "[proxy]\nport = {}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, below the home directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    return {"HOME": str(tmp_path)}


def write(path: Path, port: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PORT.format(port), encoding="utf-8")
    return path


def age(path: Path, *, seconds: float) -> None:
    """Moves the time of a file's last change back, as if it had rested."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_the_file_that_is_named_comes_first_even_if_it_is_missing(here: Path, environ: Mapping[str, str]) -> None:
    write(here / "agcore.toml", 1)
    named = {**environ, "AGCORE_CONFIG": "other.toml"}
    assert find("mine.toml", named) == Found(Path("mine.toml"))
    assert find(None, named) == Found(Path("other.toml"))


def test_the_users_file_counts_where_the_directory_has_none(here: Path, environ: Mapping[str, str]) -> None:
    assert find(None, environ) == Found(None)
    users = write(here.parent / ".config" / "agcore" / "agcore.toml", 2)
    assert find(None, environ) == Found(users)
    xdg = {**environ, "XDG_CONFIG_HOME": str(here / "xdg")}
    assert find(None, xdg) == Found(None)
    assert find(None, xdg | {"XDG_CONFIG_HOME": "relative"}) == Found(users)


def test_the_file_of_a_directory_is_passed_over_until_it_is_trusted(here: Path, environ: Mapping[str, str]) -> None:
    users = write(here.parent / ".config" / "agcore" / "agcore.toml", 2)
    file = write(here / "agcore.toml", 1)
    found = find(None, environ)
    assert found.path == users
    assert found.remarks == (f"{file} is passed over: it is not trusted; if it is yours, say so with: agcore trust",)
    state = state_dir(environ)
    assert state is not None
    trust.trust(Path("agcore.toml"), state)
    assert find(None, environ) == Found(Path("agcore.toml"), guarded=True)
    assert load(None, environ).parsed.config.proxy.port == 1


def test_trust_is_for_a_path_and_a_content(here: Path, environ: Mapping[str, str]) -> None:
    state = state_dir(environ)
    assert state is not None
    file = write(here / "agcore.toml", 1)
    trust.trust(file, state)
    write(file, 9)
    assert find(None, environ).path is None
    assert "it has changed since it was trusted" in find(None, environ).remarks[0]
    write(file, 1)
    assert find(None, environ).guarded
    other = write(here.parent / "elsewhere" / "agcore.toml", 1)
    assert trust.standing(other, state) is trust.Standing.UNKNOWN
    assert trust.standing(here / "missing.toml", state) is trust.Standing.UNKNOWN


def test_the_users_file_needs_no_trust_in_its_own_directory(
    here: Path, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    users = write(here.parent / ".config" / "agcore" / "agcore.toml", 2)
    monkeypatch.chdir(users.parent)
    assert find(None, environ) == Found(users)


def test_without_a_home_the_directory_has_nothing_that_could_be_trusted(here: Path) -> None:
    write(here / "agcore.toml", 1)
    assert find(None, {}).path is None
    assert user_file({}) is None
    assert state_dir({}) is None


def test_a_running_server_takes_no_content_that_is_not_trusted(here: Path, environ: Mapping[str, str]) -> None:
    state = state_dir(environ)
    assert state is not None
    file = write(here / "agcore.toml", 1)
    trust.trust(file, state)
    source = Source(None, environ)
    assert source.path is not None
    watch = Watch(source.path, source.companions)
    assert source.load().parsed.config.proxy.port == 1
    write(file, 9)
    age(file, seconds=30)
    assert watch.look()
    with pytest.raises(SettingsError, match=r"it has changed since it was trusted; if that was you, .*: agcore trust"):
        source.load()
    trust.trust(file, state)
    age(source.companions[0], seconds=30)
    assert watch.look(), "that it is trusted now is a change as well"
    assert source.load().parsed.config.proxy.port == 9


def test_a_file_that_appears_later_must_be_trusted_as_well(here: Path, environ: Mapping[str, str]) -> None:
    source = Source(None, environ)
    assert source.companions == ()
    write(here / "agcore.toml", 1)
    assert source.load().path is None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/a"}, "/home/a/.local/state/agcore"),
        ({"HOME": "/home/a", "XDG_STATE_HOME": "/xdg"}, "/xdg/agcore"),
        ({"HOME": "/home/a", "XDG_STATE_HOME": "relative"}, "/home/a/.local/state/agcore"),
        ({"HOME": "/home/a", "XDG_STATE_HOME": "/xdg", "AGCORE_STATE_DIR": "/mine"}, "/mine"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="the paths are not Windows'")
def test_the_state_directory_is_where_the_environment_says(environ: Mapping[str, str], expected: str) -> None:
    assert state_dir(environ) == Path(expected)


def test_on_windows_the_state_directory_is_the_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Windows:
        name = "nt"
        path = os.path

    monkeypatch.setattr(places, "os", Windows)
    environ = {"USERPROFILE": "/users/a", "LOCALAPPDATA": "/users/a/local"}
    assert state_dir(environ) == Path("/users/a/local/agcore")
    assert user_file(environ) == Path("/users/a/.config/agcore/agcore.toml")
