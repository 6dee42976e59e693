"""Where a process without a command line, such as the ready-made app, finds its configuration and its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agcore.config.parser import Parsed, from_environment
from agcore.config.values import Secret
from agcore_host.settings import find_file, load, named_file, read, resolve


def found(environ: Mapping[str, str]) -> Parsed:
    path = named_file(environ)
    return from_environment(environ) if path is None else read(path, environ)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_named_file_comes_first_even_if_it_is_missing(here: Path) -> None:
    (here / "agcore.toml").touch()
    assert named_file({"AGCORE_CONFIG": "other.toml"}) == Path("other.toml")


def test_the_directorys_file_comes_before_the_users(here: Path) -> None:
    users = here / "xdg" / "agcore" / "agcore.toml"
    users.parent.mkdir(parents=True)
    users.touch()
    assert named_file({"XDG_CONFIG_HOME": str(here / "xdg")}) == users
    (here / "agcore.toml").touch()
    assert named_file({"XDG_CONFIG_HOME": str(here / "xdg")}) == Path("agcore.toml")


def test_the_users_file_is_below_the_home_directory(here: Path) -> None:
    users = here / ".config" / "agcore" / "agcore.toml"
    users.parent.mkdir(parents=True)
    users.touch()
    assert named_file({"HOME": str(here)}) == users


def test_without_a_file_providers_come_from_the_environment(here: Path) -> None:
    environ = {"HOME": str(here), "OPENAI_API_KEY": "sk-o"}
    assert named_file(environ) is None
    assert [provider.keys for provider in found(environ).config.providers] == [(Secret("sk-o"),)]


def test_secrets_are_read_from_the_environment_and_from_files(here: Path) -> None:
    (here / "key").write_text("sk-file\n")
    (here / "agcore.toml").write_text(
        f'[[providers]]\npreset = "openai"\nkeys = ["env:ONE", "file:{here / "key"}", "sk-literal"]\n'
    )
    assert found({"ONE": "sk-env"}).config.providers[0].keys == (
        Secret("sk-env"),
        Secret("sk-file"),
        Secret("sk-literal"),
    )


def test_what_cannot_be_looked_up_is_left_out(here: Path) -> None:
    (here / "binary").write_bytes(b"\xff\xfe")
    references = ["env:NONE", "file:missing", "file:binary", "file:.", "file:~nobody-has-this-name/key", "env:ONE"]
    assert resolve(references, {"ONE": "1"}, beside=here) == {"env:ONE": "1"}


FILES = {
    "here/agcore.toml": "secrets beside a file in the working directory",
    "conf/agcore.toml": "secrets beside a file that is named",
    "xdg/agcore/agcore.toml": "secrets beside the user's file",
}


@pytest.mark.parametrize("file", FILES, ids=FILES.get)
def test_a_command_line_and_a_process_without_one_make_the_same_of_the_same_files(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "sub").mkdir()
    for place, text in (
        (tmp_path / "home.key", "sk-home\n"),
        (path.parent / "beside.key", "sk-beside\n"),
        (path.parent / "sub" / "below.key", "  sk-below \n"),
        (path.parent / "empty.key", "\n"),
        (tmp_path / "here" / "here.key", "sk-here"),
    ):
        place.write_text(text)
    references = [
        *("file:beside.key", "file:./sub/below.key", "file:~/home.key", f"file:{tmp_path}/home.key"),
        *("file:here.key", "file:empty.key", "file:missing", "env:SET", "env:EMPTY", "env:UNSET", "sk-literal"),
    ]
    keys = ", ".join(f'"{reference}"' for reference in references)
    path.write_text(f'[[providers]]\npreset = "openai"\nkeys = [{keys}]\n')
    monkeypatch.chdir(tmp_path / "here")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path), "SET": "sk-set", "EMPTY": ""}
    named = str(path) if file.startswith("conf") else None
    ours = found({**environ, "AGCORE_CONFIG": named} if named else environ)
    theirs = load(named, environ).parsed
    assert ours == theirs
    keys_found = [key.reveal() for key in ours.config.providers[0].keys]
    assert keys_found[:3] == ["sk-beside", "sk-below", "sk-home"]
    assert ("sk-here" in keys_found) == file.startswith("here")


def test_names_of_files_start_from_the_directory_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = tmp_path / "conf" / "agcore.toml"
    path.parent.mkdir()
    path.write_text(
        '[proxy]\ntls_cert = "c.pem"\ntls_key = "/etc/k.pem"\n[pool]\nstate_file = "~/state"\n'
        '[[providers]]\npreset = "openai"\nca_file = "../ca.pem"\n[[providers]]\npreset = "gemini"\n'
    )
    ours = read(path, {}).config
    assert ours == load(str(path), {}).parsed.config
    assert (ours.proxy.tls_cert, ours.proxy.tls_key) == (str(tmp_path / "conf" / "c.pem"), "/etc/k.pem")
    assert ours.pool.state_file == str(tmp_path / "home" / "state")
    trusted = [{endpoint.origin.ca_file for endpoint in provider.endpoints.values()} for provider in ours.providers]
    assert trusted == [{str(tmp_path / "conf" / ".." / "ca.pem")}, {""}]


def test_a_command_line_and_a_process_without_one_look_in_the_same_places(here: Path) -> None:
    for environ in ({}, {"HOME": str(here)}, {"HOME": str(here), "XDG_CONFIG_HOME": str(here / "xdg")}):
        assert named_file(environ) is find_file(environ) is None
    for folder, environ in ((".config", {"HOME": str(here)}), ("xdg", {"XDG_CONFIG_HOME": str(here / "xdg")})):
        path = here / folder / "agcore" / "agcore.toml"
        path.parent.mkdir(parents=True)
        path.touch()
        assert named_file(environ) == find_file(environ) == path
