from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from agcore.config.parser import parse
from agcore.config.values import Config, Provider, Proxy
from agcore_host.run_files import Run
from agcore_host.settings import SettingsError, listen_problem, load, needs_demo, refusals, resolve

PORTS = "[proxy]\nport = {}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problem(named: str, environ: Mapping[str, str] | None = None) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(named, environ or {})
    return caught.value


def test_a_named_file_is_the_one_whatever_else_there_is(here: Path) -> None:
    write(here / "agcore.toml", PORTS.format(1))
    named = write(here / "other.toml", PORTS.format(4))
    assert load(str(named), {}).parsed.config.proxy.port == 4


def test_without_a_file_the_environment_decides(here: Path, tmp_path: Path) -> None:
    settings = load(None, {"HOME": str(tmp_path), "OPENAI_API_KEY": "sk-environment"})
    assert settings.path is None
    assert [provider.name for provider in settings.parsed.config.providers] == ["openai"]
    assert "environment" in settings.origin


def test_secrets_are_found_in_variables_and_in_files_beside_the_configuration(here: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "conf" / "agcore.toml",
        '[[providers]]\npreset = "openai"\nkeys = ["env:FIRST", "file:second.key", "file:sub/third.key"]\n',
    )
    write(tmp_path / "conf" / "second.key", "sk-second\n")
    write(tmp_path / "conf" / "sub" / "third.key", "  sk-third\n")
    (provider,) = load(str(path), {"FIRST": "sk-first"}).parsed.config.providers
    assert [key.reveal() for key in provider.keys] == ["sk-first", "sk-second", "sk-third"]


def test_a_tilde_in_a_secrets_path_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "key", "sk-home")
    assert resolve(["file:~/key"], {}, beside=tmp_path / "elsewhere") == {"file:~/key": "sk-home"}


def test_an_absolute_path_stays_what_it_is(tmp_path: Path) -> None:
    key = write(tmp_path / "key", "sk-absolute")
    assert resolve([f"file:{key}"], {}, beside=Path("nowhere")) == {f"file:{key}": "sk-absolute"}


def test_secrets_that_cannot_be_found_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    references = ["env:ABSENT", "file:absent", "file:.", "file:binary", "file:~nobody-has-this-name/key", "file:\0"]
    assert resolve(references, {}, beside=tmp_path) == {}


def test_a_missing_secret_of_a_provider_is_a_warning(here: Path) -> None:
    write(here / "agcore.toml", '[[providers]]\npreset = "openai"\nkeys = ["env:ABSENT", "file:absent"]\n')
    warnings = "\n".join(load("agcore.toml", {}).parsed.warnings)
    assert '"ABSENT" is not set' in warnings
    assert '"absent" is unreadable or empty' in warnings


def test_a_file_that_is_not_there_is_named(here: Path) -> None:
    assert str(problem("absent.toml")) == "cannot read the configuration absent.toml: no such file or directory"


def test_a_directory_is_no_configuration(here: Path) -> None:
    assert str(problem(".")) == "cannot read the configuration .: is a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_file_that_may_not_be_read_is_named(here: Path) -> None:
    path = write(here / "agcore.toml", "")
    path.chmod(0)
    assert str(problem("agcore.toml")) == "cannot read the configuration agcore.toml: permission denied"


def test_a_file_that_is_not_text_says_where(here: Path) -> None:
    (here / "agcore.toml").write_bytes(b"# caf\xe9\n")
    assert str(problem("agcore.toml")) == "cannot read the configuration agcore.toml: not UTF-8 at byte 5"


def test_all_problems_of_a_file_come_together(here: Path) -> None:
    write(here / "agcore.toml", '[proxy]\nprot = 1\nport = "x"\n[timeouts]\nidle = -1\n')
    error = problem("agcore.toml")
    assert str(error) == "3 problems in the configuration of agcore.toml"
    assert [line.partition(":")[0] for line in error.details] == ["proxy.prot", "proxy.port", "timeouts.idle"]


def test_toml_that_is_none_is_one_problem_with_its_place(here: Path) -> None:
    write(here / "agcore.toml", "[proxy\n")
    error = problem("agcore.toml")
    assert str(error) == "1 problem in the configuration of agcore.toml"
    assert error.details[0].startswith("line 1")


def test_the_demo_is_served_on_loopback_only() -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert refusals(Config(proxy=Proxy(host=host))) == ()
    (refusal,) = refusals(Config(proxy=Proxy(host="0.0.0.0", auth_mode="off")))
    assert "demo provider is served on loopback only, not on 0.0.0.0" in refusal


def test_a_server_with_providers_may_listen_anywhere_its_auth_mode_allows() -> None:
    config = Config(proxy=Proxy(host="0.0.0.0", auth_mode="off"), providers=(Provider("any", {}),))
    assert not needs_demo(config)
    assert refusals(config) == ()
    (refusal,) = refusals(Config(proxy=Proxy(auth_mode="strict"), providers=config.providers))
    assert "needs a client key" in refusal


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EADDRINUSE, "address already in use; another program listens there"),
        (errno.EACCES, "permission denied; ports below 1024"),
        (errno.EADDRNOTAVAIL, "address; no interface of this machine has that address"),
    ],
)
def test_an_address_that_cannot_be_had_comes_with_advice(number: int, advice: str) -> None:
    text = listen_problem("127.0.0.1", 80, OSError(number, os.strerror(number)))
    assert text.startswith("cannot listen on 127.0.0.1:80: ")
    assert advice in text


def test_a_gateway_that_has_the_port_already_is_named() -> None:
    runs = [Run("http://127.0.0.1:81", 7, None, 0.0), Run("http://127.0.0.1", 8, "/a.toml", 0.0)]
    taken = OSError(errno.EADDRINUSE, "Address already in use")
    assert "a gateway runs there (configuration: /a.toml; process 8): use it, stop it" in listen_problem(
        "127.0.0.1", 80, taken, runs
    )
    assert "configuration: the environment; process 7" in listen_problem("127.0.0.1", 81, taken, runs)
    assert "another program listens there" in listen_problem("127.0.0.1", 82, taken, runs)
    assert "gateway" not in listen_problem("127.0.0.1", 80, OSError(errno.EACCES, "permission denied"), runs)


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert listen_problem("::1", 80, OSError("no luck")) == "cannot listen on [::1]:80: no luck"


def test_mcp_servers_alone_are_no_reason_for_a_demo() -> None:
    text = '[mcp.tools]\nurl = "http://127.0.0.1:9/mcp"\n'
    config = parse(text, secrets={}, environ={}).config
    assert not config.providers
    assert not needs_demo(config)


def test_files_that_cannot_be_used_are_found_when_the_configuration_is_read(here: Path) -> None:
    text = (
        '[pool]\nstate_file = "missing/state.json"\n'
        '[[providers]]\npreset = "ollama"\nca_file = "missing.pem"\n[[providers]]\npreset = "vllm"\n'
    )
    write(here / "agcore.toml", text)
    parsed = load("agcore.toml", {}).parsed
    (lost,) = parsed.warnings
    assert lost == (
        f"pool.state_file: cannot write missing/state.json: {here}/missing is no directory that can be written; "
        "a restart forgets which keys are limited"
    )
    (refusal,) = refusals(parsed.config)
    assert refusal == "ca_file of the provider ollama: cannot use missing.pem: no such file or directory"
    (here / "missing").mkdir()
    assert load("agcore.toml", {}).parsed.warnings == ()
    (here / "missing" / "state.json").mkdir()
    (only,) = load("agcore.toml", {}).parsed.warnings
    assert "it is a directory" in only
