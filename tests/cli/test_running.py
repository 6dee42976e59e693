"""Commands that ask a running gateway, wherever they are run."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest
import trustme

from agcore_cli.main import main
from tests.support.commands import agcore, configure
from tests.support.reloading import post, provider
from tests.support.upstreams import Answer, Recorded, Upstream

LIMITED = Answer(429, ((b"content-type", b"application/json"), (b"retry-after", b"3600")))

KEY_A = "sk-agcore-of-a-0123456789abcdef"
KEY_B = "sk-agcore-of-b-0123456789abcdef"


def text(key: str, *, more: str = "") -> str:
    return f'[proxy]\nport = 9001\napi_key = "{key}"\n{more}[[providers]]\npreset = "ollama"\n'


class TestTrust:
    def test_a_file_of_a_directory_is_passed_over_with_a_line_that_says_how_to_trust_it(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (home / "agcore.toml").write_text(text(KEY_A))
        assert main(["check"]) == 0
        out, err = capsys.readouterr()
        assert out.startswith("Configuration\n  the environment (no configuration file)\n")
        assert err == (
            f"agcore: notice: {home}/agcore.toml is passed over: it is not trusted; "
            "if it is yours, say so with: agcore trust\n"
        )
        assert main(["trust"]) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"trusted {home}/agcore.toml: agcore uses it when run in {home}")
        assert main(["check"]) == 0
        assert capsys.readouterr().out.startswith("Configuration\n  agcore.toml\n")

    def test_a_directory_stands_for_its_file(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (home / "project").mkdir()
        (home / "project" / "agcore.toml").write_text(text(KEY_A))
        assert main(["trust", "project"]) == 0
        assert f"trusted {home}/project/agcore.toml" in capsys.readouterr().out

    def test_what_cannot_be_trusted_is_a_complaint(
        self, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert main(["trust"]) == 2
        assert "cannot trust agcore.toml: no such file or directory" in capsys.readouterr().err
        (home / "agcore.toml").write_text(text(KEY_A))
        (home / "full").write_text("a file in the place of the directory")
        monkeypatch.setenv("AGCORE_STATE_DIR", str(home / "full"))
        assert main(["trust"]) == 2
        err = capsys.readouterr().err
        assert f"cannot trust agcore.toml, as nothing can be written in {home}/full: " in err
        monkeypatch.delenv("AGCORE_STATE_DIR")
        monkeypatch.delenv("HOME")
        assert main(["trust"]) == 2
        assert "set AGCORE_STATE_DIR" in capsys.readouterr().err
        for arguments, why in ((["init", "--here"], "AGCORE_STATE_DIR"), (["init"], "name a file with --config")):
            assert main(arguments) == 2
            assert why in capsys.readouterr().err

    def test_init_here_makes_a_file_that_is_trusted(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["init", "--here"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0].startswith("wrote agcore.toml")
        assert said[1].startswith(f"trusted {home}/agcore.toml")
        assert main(["check"]) == 0
        assert capsys.readouterr().err == ""
        assert main(["init", "--here", "--config", "x"]) == 2


class TestEnv:
    def test_it_is_the_running_gateway_that_counts_and_not_the_directory(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (home / "a.toml").write_text(text(KEY_A))
        with agcore(["serve", "--port", "0", "--config", "a.toml"], home=home) as command:
            url = command.url()
            (run,) = (home / ".local" / "state" / "agcore" / "run").iterdir()
            assert run.name == f"{url.rpartition(':')[2]}.json"
            assert run.stat().st_mode & 0o777 == 0o600
            written = json.loads(run.read_text())
            assert (written["address"], written["pid"], written["config"]) == (
                url,
                command.process.pid,
                f"{home}/a.toml",
            )
            (home / "b").mkdir()
            monkeypatch.chdir(home / "b")
            (home / "b" / "agcore.toml").write_text(text(KEY_B, more='public_url = "https://evil.example"\n'))
            assert main(["env", "claude", "--shell", "sh"]) == 0
            out, err = capsys.readouterr()
            assert err == ""
            assert f"export ANTHROPIC_BASE_URL={url}\n" in out
            assert f"export ANTHROPIC_AUTH_TOKEN={KEY_A}\n" in out
            assert f"# The gateway is {url} (configuration: {home}/a.toml).\n" in out
            command.signal(signal.SIGTERM)
            assert command.exit_code() == 0
        assert not run.exists()

    def test_of_several_it_is_the_newest_or_the_one_of_the_configuration(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name, key in (("a", KEY_A), ("b", KEY_B)):
            (home / f"{name}.toml").write_text(text(key))
        with agcore(["serve", "--port", "0", "--config", "a.toml"], home=home) as a:
            first = a.url()
            with agcore(["serve", "--port", "0", "--config", "b.toml"], home=home) as b:
                second = b.url()
                assert main(["env", "openai"]) == 0
                out, err = capsys.readouterr()
                assert f"{second}/v1" in out
                assert err.startswith(f"agcore: notice: 2 gateways run; this is the newest, at {second} (")
                assert main(["env", "openai", "--config", "a.toml"]) == 0
                out, err = capsys.readouterr()
                assert f"{first}/v1" in out
                assert KEY_A in out
                assert err == ""

    def test_where_none_answers_it_says_so(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        configure(home, text(KEY_A))
        folder = home / ".local" / "state" / "agcore" / "run"
        folder.mkdir()
        dead = {"address": "http://127.0.0.1:1", "pid": 1, "config": None, "started": time.time()}
        (folder / "1.json").write_text(json.dumps(dead))
        assert main(["env", "claude"]) == 0
        out, err = capsys.readouterr()
        assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:9001\n" in out
        assert err == (
            "agcore: warning: no gateway answers; these are the settings of agcore.toml\n  start it with: agcore serve\n"
        )
        assert main(["env", "claude", "--config", "agcore.toml"]) == 0
        assert "no gateway answers that runs with agcore.toml" in capsys.readouterr().err

    def test_a_trusted_file_that_has_changed_since_the_start_redirects_nobody(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(home, text(KEY_A))
        with agcore(["serve", "--port", "0"], home=home) as command:
            command.url()
            (home / "agcore.toml").write_text(text(KEY_A, more='public_url = "https://evil.example"\n'))
            assert main(["env", "claude"]) == 2
            out, err = capsys.readouterr()
            assert out == ""
            assert "it has changed since it was trusted" in err

    def test_a_state_directory_that_cannot_be_written_is_one_warning(self, home: Path) -> None:
        (home / "file").touch()
        environ = {"AGCORE_STATE_DIR": str(home / "file")}
        with agcore(["serve", "--port", "0"], home=home, environ=environ) as command:
            command.url()
            assert "commands will not find this gateway" in command.stderr.until("warning")

    @pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
    def test_behind_a_proxy_the_gateway_is_exempted_from_it(
        self, home: Path, variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(home, text(KEY_A))
        monkeypatch.setenv(variable, "http://proxy.corp:3128")
        monkeypatch.setenv("NO_PROXY", "corp.example, 127.0.0.1")
        for client in ("claude", "codex", "gemini", "openai"):
            assert main(["env", client, "--shell", "sh"]) == 0
            out = capsys.readouterr().out
            for name in ("NO_PROXY", "no_proxy"):
                assert f"export {name}=corp.example,127.0.0.1,localhost,::1\n" in out
        monkeypatch.setenv("NO_PROXY", "*")
        assert main(["env", "claude", "--shell", "sh"]) == 0
        assert "export NO_PROXY" not in capsys.readouterr().out

    def test_behind_a_proxy_a_public_address_is_exempted_by_its_name(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(home, text(KEY_A, more='public_url = "https://llm.corp/gateway"\n'))
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.corp:3128")
        assert main(["env", "claude", "--shell", "fish"]) == 0
        assert "set -gx NO_PROXY 'llm.corp'\n" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("client", "rivals"),
        [
            ("claude", ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK"]),
            ("gemini", ["GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI"]),
            ("openai", ["OPENAI_API_BASE"]),
        ],
    )
    def test_variables_that_would_win_are_taken_away(
        self,
        home: Path,
        client: str,
        rivals: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        configure(home, text(KEY_A))
        for name in rivals:
            monkeypatch.setenv(name, "x")
        for shell, statement in (("sh", "unset {}"), ("fish", "set -e {}"), ("powershell", "Remove-Item Env:{} ")):
            assert main(["env", client, "--shell", shell]) == 0
            out = capsys.readouterr().out
            assert all(statement.format(name) in out for name in rivals)

    def test_a_key_that_has_expired_is_not_shown_while_there_is_another(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        old = f'[[proxy.keys]]\nname = "old"\nkey = "{KEY_A}"\nexpires = 2020-01-01\n'
        new = f'[[proxy.keys]]\nname = "new"\nkey = "{KEY_B}"\nexpires = 2999-01-01\n'
        for keys, shown in ((old + new, KEY_B), (old, KEY_A)):
            configure(home, keys)
            assert main(["env", "claude", "--shell", "sh"]) == 0
            assert f"ANTHROPIC_AUTH_TOKEN={shown}\n" in capsys.readouterr().out

    def test_claude_code_asks_the_gateway_for_its_models(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["env", "claude", "--shell", "sh"]) == 0
        assert "export CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1\n" in capsys.readouterr().out

    @pytest.mark.parametrize("file", ["user/settings.json", ".claude/settings.json", ".claude/settings.local.json"])
    def test_settings_of_claude_code_that_win_are_named(
        self, home: Path, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "user"))
        path = home / file
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": "https://x", "OTHER": "1"}, "apiKeyHelper": "x.sh"}))
        assert main(["env", "claude"]) == 0
        err = capsys.readouterr().err
        assert f"{file} sets ANTHROPIC_BASE_URL, apiKeyHelper, which goes before what is printed here" in err
        for harmless in ("{", "[]", '{"env": []}', '{"env": {"OTHER": "1"}}'):
            path.write_text(harmless)
            assert main(["env", "claude"]) == 0
            assert "goes before" not in capsys.readouterr().err
        assert main(["env", "codex"]) == 0

    def test_the_settings_of_the_home_directory_count_too(
        self, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / ".claude").mkdir()
        (home / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_API_KEY": "x"}}')
        (home / "elsewhere").mkdir()
        monkeypatch.chdir(home / "elsewhere")
        assert main(["env", "claude"]) == 0
        assert f"{home}/.claude/settings.json sets ANTHROPIC_API_KEY" in capsys.readouterr().err


class TestStatusAndReset:
    def test_a_limit_can_be_seen_and_lifted(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        limited = [True]

        def answer(request: Recorded) -> Answer:
            if request.method == "GET":
                return Answer(pieces=(b'{"data": [{"id": "m"}]}',))
            return LIMITED if limited[0] else Answer(pieces=(b'{"choices":[{"message":{"content":"hi"}}]}',))

        with Upstream(answer) as upstream:
            (home / "a.toml").write_text(
                f'[[proxy.keys]]\nname = "bob"\nkey = "{KEY_A}"\nrpm = 60\nexpires = 2099-01-01\n'
                f"[pool]\nstate_file = 'state.json'\n{provider('one', upstream.url)}"
            )
            with agcore(["serve", "--port", "0", "--config", "a.toml"], home=home) as command:
                url = command.url()
                assert post(url)[0] == 429
                limited[0] = False
                assert main(["status"]) == 0
                out, err = capsys.readouterr()
                assert err == ""
                assert out.startswith(f"Gateway  {url} (configuration: {home}/a.toml)\n  version ")
                assert re.search(r"  one#1  limited for models +m: rate limit until .* UTC \(in 60 min\): ", out)
                assert "  bob  expires 2099-01-01T00:00:00Z; 60 of 60 requests a minute left\n" in out
                assert "memory:  limits and refused keys are kept in state.json" in out
                assert main(["status", "--json", "--config", "a.toml"]) == 0
                told = json.loads(capsys.readouterr().out)
                assert (told["keys"][0]["key"], told["requests"]) == ("one#1", 0)
                assert post(url)[0] == 429
                assert main(["reset", "one#1"]) == 0
                assert capsys.readouterr().out == "in use again: one#1\n"
                assert post(url)[0] == 200
                assert main(["reset"]) == 0
                assert capsys.readouterr().out == "no key was left alone\n"
                assert main(["reset", "one"]) == 0
                assert capsys.readouterr().out == "no key of one was left alone\n"
                assert main(["reset", "two"]) == 1
                assert "no key is called 'two'; there are: one#1" in capsys.readouterr().err
                limited[0] = True
                assert post(url)[0] == 429
                assert main(["check", "--live", "--config", "a.toml"]) == 0
                assert "in use again in the gateway that runs: one#1" in capsys.readouterr().out
                limited[0] = False
                assert post(url)[0] == 200

    def test_without_a_gateway_the_exit_code_says_so(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for arguments in (["status"], ["status", "--json"], ["reset"], ["reset", "openai#1"]):
            assert main(arguments) == 3
            out, err = capsys.readouterr()
            assert out == ""
            assert err == "agcore: error: no gateway answers\n  start one with: agcore serve\n"

    def test_a_gateway_with_an_admin_key_is_shown_it(
        self, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / "a.toml").write_text(text(KEY_A, more='admin_key = "env:MY_ADMIN"\n'))
        (home / "b.toml").write_text(
            text(KEY_A, more=f'admin_key = "{KEY_B}x"\n[[proxy.keys]]\nname = "boss"\nkey = "{KEY_B}"\nadmin = true\n')
        )
        serve = ["serve", "--port", "0", "--config"]
        with agcore([*serve, "a.toml"], home=home, environ={"MY_ADMIN": KEY_B}) as command:
            command.url()
            assert main(["status"]) == 2
            assert "the admin API needs the API key of proxy.admin_key" in capsys.readouterr().err
            monkeypatch.setenv("MY_ADMIN", KEY_B)
            assert main(["status"]) == 0
            with agcore([*serve, "b.toml"], home=home) as other:
                other.url()
                capsys.readouterr()
                assert main(["status"]) == 0
                assert capsys.readouterr().err.startswith("agcore: notice: 2 gateways run; this is the newest, at ")

    def test_a_gateway_that_serves_https_is_known_by_its_own_certificate(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = trustme.CA().issue_cert("gateway.corp")
        made.private_key_and_cert_chain_pem.write_to_path(home / "both.pem")
        (home / "a.toml").write_text(text(KEY_A, more='tls_cert = "both.pem"\ntls_key = "both.pem"\n'))
        with agcore(["serve", "--port", "0", "--config", "a.toml"], home=home) as command:
            assert command.url().startswith("https://")
            assert main(["status"]) == 0
            assert "Keys\n  ollama#1  ready\n" in capsys.readouterr().out

    def test_the_demo_has_no_keys(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with agcore(["serve", "--port", "0"], home=home) as command:
            command.url()
            assert main(["status"]) == 0
        out = capsys.readouterr().out
        assert "Keys\n  demo#1  ready\n" in out
        assert "memory:  gone with the gateway" in out


class TestWhatCannotBeServed:
    def test_providers_without_a_key_are_a_no(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        configure(home, '[[providers]]\npreset = "openai"\nkeys = ["env:UNSET"]\n')
        assert main(["check"]) == 1
        assert "nothing could be served: no provider has a key that can be used" in capsys.readouterr().err
        assert main(["check", "--live"]) == 1
        configure(home, '[[providers]]\npreset = "openai"\nkeys = ["env:UNSET"]\n[[providers]]\npreset = "ollama"\n')
        assert main(["check"]) == 0

    def test_urls_at_which_nothing_can_be_proven_are_a_no(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with Upstream(lambda _: Answer(status=404, pieces=(b"{}",))) as upstream:
            configure(home, "".join(provider(name, f"{upstream.url}/wrong") for name in ("a", "b", "c", "d")))
            assert main(["check", "--live"]) == 1
        out, err = capsys.readouterr()
        assert out.count("reachable; it has no model list, so the key was not checked") == 4
        assert "nothing could be proven" in err
