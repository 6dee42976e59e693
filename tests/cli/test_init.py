"""The first steps of a user: `agcore init`, then `agcore env` in the shell of each client."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agcore.config.parser import Parsed, parse, secret_refs
from agcore.config.presets import PRESETS
from agcore.config.schema import SCHEMA, Schema, Table
from agcore.config.values import Config
from agcore_cli import init, recipes
from agcore_cli.main import main
from tests.support.commands import agcore, configure, quiet_environment
from tests.support.patience import PATIENCE

CLIENTS = ("claude", "codex", "gemini", "openai")


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must succeed, without a word of complaint; gives what it printed."""

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 0
        out, err = capsys.readouterr()
        if arguments[0] == "env" and err:
            assert re.fullmatch(
                r"agcore: warning: no gateway answers.*\n  start it with: agcore serve\n", err, re.DOTALL
            )
        else:
            assert err == ""
        return out

    return run


def parsed(text: str) -> Parsed:
    return parse(text, secrets={written: f"the-secret-of-{written}" for written in secret_refs(text)}, environ={})


class TestInit:
    def test_it_writes_a_file_that_checks_clean_and_says_what_comes_next(
        self, home: Path, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
        monkeypatch.setenv("GOOGLE_API_KEY", "AIza-0123456789")
        said = run("init")
        path = home / ".config" / "agcore" / "agcore.toml"
        assert said == (
            f"wrote {path}, with a new client key; only you can read it\n"
            "providers: anthropic (ANTHROPIC_API_KEY), gemini (GOOGLE_API_KEY)\n"
            "next:\n  agcore check\n  agcore serve\n"
        )
        text = path.read_text(encoding="utf-8")
        assert "sk-ant-0123456789" not in text
        assert "AIza" not in text
        assert [provider.name for provider in parsed(text).config.providers] == ["anthropic", "gemini"]
        report = run("check")
        assert "Warnings" not in report
        assert "Not yet in effect" not in report

    def test_the_client_key_is_new_each_time_and_recognisable(self, home: Path, run: Callable[..., str]) -> None:
        keys = []
        for name in ("one.toml", "two.toml"):
            run("init", "--config", name)
            ((key),) = parsed((home / name).read_text(encoding="utf-8")).config.proxy.keys
            keys.append(key.key.reveal())
        assert keys[0] != keys[1]
        assert all(re.fullmatch(r"sk-agcore-[\w-]{43}", key) for key in keys)

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
    @pytest.mark.parametrize("before", [None, 0o644])
    def test_only_the_owner_can_read_it(self, home: Path, run: Callable[..., str], before: int | None) -> None:
        path = home / "agcore.toml"
        if before is not None:
            path.write_text("x" * 100_000)
            path.chmod(before)
        run("init", "--here", "--force")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert tomllib.loads(path.read_text(encoding="utf-8"))["proxy"]["api_key"]

    def test_it_overwrites_nothing_unless_forced(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        configure(home, "mine")
        assert main(["init", "--here"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("agcore: error: agcore.toml is there already\n")
        assert "--force" in err
        assert (home / "agcore.toml").read_text() == "mine"

    def test_directories_to_it_are_made(self, home: Path, run: Callable[..., str]) -> None:
        said = run("init", "--config", "my config/agcore/agcore.toml")
        assert "  agcore serve --config 'my config/agcore/agcore.toml'\n" in said
        assert run("check", "--config", "my config/agcore/agcore.toml")

    def test_where_it_cannot_write_it_says_so(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (home / "file").touch()
        assert main(["init", "--config", "file/agcore.toml"]) == 2
        assert capsys.readouterr().err.startswith("agcore: error: cannot write file/agcore.toml: ")

    def test_without_a_key_in_the_environment_the_file_says_no_provider(
        self, home: Path, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "  ")
        monkeypatch.setenv("GROQ_API_KEY", "no header carries \u00e9")
        assert "providers: none" in run("init", "--here")
        assert parsed((home / "agcore.toml").read_text(encoding="utf-8")).config.providers == ()

    def test_every_preset_whose_key_is_there_gets_into_effect(self) -> None:
        environ = {variable: "sk-any" for preset in PRESETS.values() for variable in preset.environment}
        found = init.found_providers(environ)
        made = parsed(init.render("sk-any", found)).config.providers
        assert [provider.name for provider in made] == [name for name, each in PRESETS.items() if each.environment]
        assert all(len(provider.keys) == 1 for provider in made)


class TestEverySetting:
    """What stands behind `#` in the file: uncommented, it is a configuration, and it is complete."""

    text = re.sub(r"^#(?=\S)", "", init.render("sk-any", {}), flags=re.MULTILINE)

    def test_uncommented_the_file_is_a_configuration_with_each_preset(self) -> None:
        everything = parsed(self.text)
        assert everything.warnings == ()
        assert {provider.preset for provider in everything.config.providers} == {*PRESETS, ""}

    @pytest.mark.parametrize("section", ["proxy", "timeouts", "limits", "retry", "pool", "record"])
    def test_what_is_shown_is_the_default(self, section: str) -> None:
        shown, default = (getattr(config, section) for config in (parsed(self.text).config, Config()))
        if section == "proxy":
            shown = msgspec.structs.replace(shown, keys=())
        assert shown == default

    def test_no_setting_is_left_out(self) -> None:
        document = tomllib.loads(self.text)

        def missing(schema: Schema, value: object, path: str) -> list[str]:
            if not isinstance(schema, Table):
                return []
            assert isinstance(value, dict), path
            return [
                found
                for key, inner in schema.keys.items()
                for found in ([f"{path}.{key}"] if key not in value else missing(inner, value[key], f"{path}.{key}"))
            ]

        assert missing(SCHEMA, document, "") == []
        entries = {
            "proxy.keys": (SCHEMA.keys["proxy"].keys["keys"], document["proxy"]["keys"]),
            "providers": (SCHEMA.keys["providers"], document["providers"]),
            "mcp": (SCHEMA.keys["mcp"], list(document["mcp"].values())),
        }
        for name, (schema, written) in entries.items():
            assert set(schema.item.keys) == {key for entry in written for key in entry}, name


CONFIGURED = """
[proxy]
host = "0.0.0.0"
port = 9000
api_key = "it's \\"my\\" $KEY `x` \\\\ key #1"
[[providers]]
preset = "ollama"
"""
KEY = 'it\'s "my" $KEY `x` \\ key #1'


class TestEnv:
    def test_the_names_are_those_of_the_recipes(self) -> None:
        assert tuple(recipes.CLIENTS) == CLIENTS
        assert tuple(recipes.SHELLS) == ("sh", "bash", "zsh", "fish", "powershell", "pwsh")

    @pytest.mark.parametrize(
        ("client", "expected"),
        [
            ("claude", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9000", "ANTHROPIC_AUTH_TOKEN": KEY}),
            ("codex", {"AGCORE_API_KEY": KEY}),
            ("gemini", {"GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9000", "GEMINI_API_KEY": KEY}),
            ("openai", {"OPENAI_BASE_URL": "http://127.0.0.1:9000/v1", "OPENAI_API_KEY": KEY}),
        ],
    )
    @pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish", "pwsh"])
    def test_a_shell_takes_the_settings_over(
        self, home: Path, run: Callable[..., str], client: str, expected: dict[str, str], shell: str
    ) -> None:
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"{shell} is not installed")
        configure(home, CONFIGURED)
        printed = run("env", client, "--shell", shell)
        show = "import json, os; print(json.dumps(dict(os.environ)))"
        (home / "show.py").write_text(show)
        call = "& " if shell == "pwsh" else ""
        done = subprocess.run(
            [program, "-c", f"{printed}\n{call}'{sys.executable}' show.py"],
            env=quiet_environment(home),
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        assert done.stderr == b""
        seen = json.loads(done.stdout)
        assert {name: seen.get(name) for name in expected} == expected

    @pytest.mark.parametrize(
        ("shell", "expected"),
        [
            ("sh", """export AGCORE_API_KEY='it'"'"'s "my" $KEY `x` \\ key #1'"""),
            ("fish", """set -gx AGCORE_API_KEY 'it\\'s "my" $KEY `x` \\\\ key #1'"""),
            ("powershell", """$env:AGCORE_API_KEY = 'it''s "my" $KEY `x` \\ key #1'"""),
        ],
    )
    def test_values_are_quoted_by_the_rules_of_the_shell(
        self, home: Path, run: Callable[..., str], shell: str, expected: str
    ) -> None:
        configure(home, CONFIGURED)
        assert run("env", "codex", "--shell", shell).splitlines()[0] == expected

    @pytest.mark.parametrize("client", CLIENTS)
    def test_all_that_is_no_statement_is_a_comment(self, home: Path, run: Callable[..., str], client: str) -> None:
        name = "line\nbreak.toml"
        (home / name).write_text(CONFIGURED)
        lines = run("env", client, "--config", name, "--shell", "sh").splitlines()
        assert {line.split(" ")[0] for line in lines} == {"export", "#"}

    @pytest.mark.parametrize("client", ["claude", "gemini", "openai"])
    def test_without_a_key_a_placeholder_stands_in_for_it(self, run: Callable[..., str], client: str) -> None:
        assert re.search(r"(?:KEY|TOKEN)=demo\n", run("env", client, "--shell", "sh"))

    def test_codex_gets_the_lines_of_its_own_file(self, home: Path, run: Callable[..., str]) -> None:
        configure(home, CONFIGURED)
        printed = run("env", "codex", "--shell", "sh")
        found = re.search(r"^# model_provider = .*^# env_key = .*?$", printed, re.MULTILINE | re.DOTALL)
        assert found is not None
        settings = tomllib.loads(found[0].replace("# ", "").replace("#", ""))
        assert settings == {
            "model_provider": "agcore",
            "model_providers": {
                "agcore": {
                    "name": "agcore",
                    "base_url": "http://127.0.0.1:9000/v1",
                    "wire_api": "responses",
                    "env_key": "AGCORE_API_KEY",
                }
            },
        }

    def test_gemini_cli_has_to_be_told_in_its_own_file_to_use_the_key(self, run: Callable[..., str]) -> None:
        (remark,) = (line for line in run("env", "gemini").splitlines() if "settings.json" in line)
        settings, _ = json.JSONDecoder().raw_decode(remark[remark.index("{") :])
        assert settings == {"security": {"auth": {"selectedType": "gemini-api-key"}}}

    def test_codex_shows_no_key_to_a_gateway_that_has_none(self, run: Callable[..., str]) -> None:
        printed = run("env", "codex", "--shell", "sh")
        assert "env_key" not in printed
        assert all(line.startswith("#") for line in printed.splitlines())

    @pytest.mark.parametrize(
        ("proxy", "expected"),
        [
            ("", "http://127.0.0.1:8045"),
            ('host = "::"\napi_key = "k"', "'http://[::1]:8045'"),
            ('host = "localhost"\nport = 80', "http://localhost"),
            ('tls_cert = "c"\ntls_key = "k"\nport = 8443', "https://127.0.0.1:8443"),
            ('public_url = "https://llm.example/gateway/"', "https://llm.example/gateway"),
        ],
    )
    def test_the_address_is_that_of_the_configuration(
        self, home: Path, run: Callable[..., str], proxy: str, expected: str
    ) -> None:
        configure(home, f'[proxy]\n{proxy}\n[[providers]]\npreset = "ollama"\n')
        printed = run("env", "claude", "--shell", "sh")
        assert printed.splitlines()[0] == f"export ANTHROPIC_BASE_URL={expected}"
        assert ("NODE_EXTRA_CA_CERTS" in printed) == expected.startswith("https:")

    @pytest.mark.parametrize(
        ("proxy", "why"),
        [
            ("port = 0", "proxy.port is 0"),
            ('auth_mode = "strict"', "needs a client key"),
            ("port = 1.5", "proxy.port: "),
        ],
    )
    def test_what_cannot_be_known_is_a_complaint(
        self, home: Path, capsys: pytest.CaptureFixture[str], proxy: str, why: str
    ) -> None:
        configure(home, f"[proxy]\n{proxy}\n")
        assert main(["env", "claude"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("agcore: error: ")
        assert why in err

    def test_it_warns_where_a_provider_would_take_the_client_key_for_its_own(self, run: Callable[..., str]) -> None:
        assert "start `agcore serve` from another shell" in run("env", "openai")
        assert "another shell" not in run("env", "claude")


def test_after_the_first_steps_sdks_find_the_gateway_by_their_environment(home: Path, run: Callable[..., str]) -> None:
    """As a user does it: init, serve, env, and clients that are told nothing else."""
    run("init")
    path = home / ".config" / "agcore" / "agcore.toml"
    text = path.read_text(encoding="utf-8").replace('#auth_mode = "auto"', 'auth_mode = "strict"')
    path.write_text(text, encoding="utf-8")
    with agcore(["serve", "--port", "0"], home=home) as command:
        command.url()
        settings = "".join(run("env", client, "--shell", "sh") for client in ("claude", "gemini", "openai"))
        done = subprocess.run(
            ["sh", "-c", f"{settings}\n{sys.executable} -c '{ASK}'"],
            env=quiet_environment(home),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    answers = done.stdout.decode().splitlines()
    assert len(answers) == 3
    assert all(answer.startswith("[agcore demo]") and answer.endswith("said: hello") for answer in answers)


ASK = """
import anthropic, openai
from google import genai
ask = [{"role": "user", "content": "hello"}]
print(openai.OpenAI().chat.completions.create(model="gpt-5", messages=ask).choices[0].message.content)
print(anthropic.Anthropic().messages.create(model="claude-x", max_tokens=99, messages=ask).content[0].text)
google = genai.Client()
print(google.models.generate_content(model="gemini-x", contents="hello").text)
"""
