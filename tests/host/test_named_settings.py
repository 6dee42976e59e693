"""A process without a command line, such as the ready-made app, makes the same of a file as a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from agcore.config.values import Secret
from agcore_host import trust
from agcore_host.settings import Source, load, resolve


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_secrets_are_read_from_the_environment_and_from_files(here: Path) -> None:
    (here / "key").write_text("sk-file\n")
    (here / "agcore.toml").write_text(
        f'[[providers]]\npreset = "openai"\nkeys = ["env:ONE", "file:{here / "key"}", "sk-literal"]\n'
    )
    trust.trust(here / "agcore.toml", here / "state")
    environ = {"ONE": "sk-env", "AGCORE_STATE_DIR": str(here / "state")}
    assert Source(None, environ).load().parsed.config.providers[0].keys == (
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
    trust.trust(path, tmp_path / ".local" / "state" / "agcore")
    named = str(path) if file.startswith("conf") else None
    ours = Source(None, {**environ, "AGCORE_CONFIG": named} if named else environ).load().parsed
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
    ours = load(str(path), {}).parsed.config
    assert ours == load(str(path), {}).parsed.config
    assert (ours.proxy.tls_cert, ours.proxy.tls_key) == (str(tmp_path / "conf" / "c.pem"), "/etc/k.pem")
    assert ours.pool.state_file == str(tmp_path / "home" / "state")
    trusted = [{endpoint.origin.ca_file for endpoint in provider.endpoints.values()} for provider in ours.providers]
    assert trusted == [{str(tmp_path / "conf" / ".." / "ca.pem")}, {""}]
