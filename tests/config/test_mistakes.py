"""What people write by mistake: each is named, with what to write instead."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agcore.config.misnomers import CHOICES, KEYS
from agcore.config.parser import Parsed, from_environment, parse, secret_refs, startup_warnings
from agcore.config.presets import AUTH_NAMES, PRESETS
from agcore.config.problems import ConfigError
from agcore.config.report import describe_config
from agcore.config.schema import SCHEMA, ListOf, MapOf, Table
from agcore.config.values import DIALECT_NAMES

P = '[[providers]]\npreset = "openai"\n'
SERVER = '[[providers]]\nname = "x"\ndialect = "{}"\nbase_url = "{}"\nkeys = ["k"]\n'
KEY = "sk-live-0123456789abcdef"


def read(text: str, environ: Mapping[str, str] | None = None) -> Parsed:
    variables = environ or {}
    secrets = {ref: variables.get(ref.removeprefix("env:"), "") for ref in secret_refs(text)}
    return parse(text, secrets=secrets, environ=variables)


def warning(text: str, environ: Mapping[str, str] | None = None) -> str:
    (only,) = read(text, environ).warnings
    return only


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (only,) = caught.value.problems
    return str(only)


class TestReferences:
    @pytest.mark.parametrize(
        "written",
        [
            *(
                "$X_KEY",
                "${X_KEY}",
                "${env:X_KEY}",
                "${X_KEY:-none}",
                "$env:X_KEY",
                "%X_KEY%",
                "{env:X_KEY}",
                "{{X_KEY}}",
            ),
            *("os.environ/X_KEY", "os.environ['X_KEY']", "os.getenv(X_KEY)", "process.env.X_KEY", "ENV:X_KEY"),
            *("Env: X_KEY", "env: X_KEY", "env/X_KEY", "env.X_KEY", "X_KEY", "  $X_KEY "),
        ],
    )
    def test_a_reference_in_the_spelling_of_others_is_named_with_ours(self, written: str) -> None:
        text = f"{P}keys = ['''{written}''']\n"
        parsed = read(text)
        assert any('would be the key itself; left out; write "env:X_KEY"' in each for each in parsed.warnings)
        assert parsed.config.providers[0].keys == ()
        assert problem(f"[proxy]\napi_key = '''{written}'''\n").endswith('would be the key itself; write "env:X_KEY"')

    def test_a_file_is_named_likewise(self) -> None:
        assert problem('[proxy]\napi_key = "FILE: /run/key"\n').endswith('write "file:/run/key"')

    @pytest.mark.parametrize("written", ["$(pass show x)", "CMD: pass show x", "Cmd:pass show x"])
    def test_a_command_is_named_likewise(self, written: str) -> None:
        assert problem(f'[proxy]\napi_key = "{written}"\n').endswith('write "cmd:pass show x"')

    @pytest.mark.parametrize("key", [KEY, "$ecret-word", "AIzaSyA-0123456789abcdefghijklmnopqrs", "k", "id.secret/+="])
    def test_what_may_be_a_key_is_one(self, key: str) -> None:
        parsed = read(f'{P}keys = ["{key}"]\n')
        assert parsed.warnings == ()
        assert [each.reveal() for each in parsed.config.providers[0].keys] == [key]

    def test_a_variable_that_is_not_set_comes_with_one_that_is(self) -> None:
        text = f'{P}keys = ["env:OPENAI_KEY"]\n'
        said = read(text, {"OPENAI_API_KEY": KEY, "HOME": "/"}).warnings[0]
        assert said == (
            'providers[0].keys[0]: the environment variable "OPENAI_KEY" is not set; left out; '
            'did you mean "OPENAI_API_KEY"?'
        )

    @pytest.mark.parametrize(
        "placeholder", ["<key>", "sk-...", "your-api-key", "YOUR_API_KEY_HERE", "xxxx", "sk-xxxxxx"]
    )
    def test_a_placeholder_is_no_key(self, placeholder: str) -> None:
        assert "a placeholder stands in the place of the key" in read(f'{P}keys = ["{placeholder}"]\n').warnings[0]


class TestWhatStandsAroundKeys:
    @pytest.mark.parametrize(
        ("written", "around"),
        [
            (f"'{KEY}'", "quotes around it"),
            (f'"{KEY}"', "quotes around it"),
            (f"Bearer {KEY}", "the words of a header before it"),
            (f"Authorization: bearer {KEY}", "the words of a header before it"),
            (f"x-api-key: {KEY}", "the words of a header before it"),
        ],
    )
    def test_it_is_left_out_and_said(self, written: str, around: str) -> None:
        for text, environ, path in (
            (f'{P}keys = ["env:K"]\n', {"K": written}, "providers[0].keys[0]"),
            ("", {"OPENAI_API_KEY": written}, "OPENAI_API_KEY"),
        ):
            parsed = read(text, environ)
            assert parsed.warnings == (f"{path}: {around}, which are left out; write the key alone",)
            assert [key.reveal() for key in parsed.config.providers[0].keys] == [KEY]
        parsed = from_environment({"AGCORE_API_KEY": written})
        assert parsed.config.proxy.keys[0].key.reveal() == KEY

    def test_a_header_of_a_provider_is_taken_to_the_letter(self) -> None:
        parsed = read(SERVER.format("openai", "http://127.0.0.1:1/v1") + "headers = { x-auth = \"Bearer 'x'\" }\n")
        assert parsed.config.providers[0].headers == ((b"x-auth", b"Bearer 'x'"),)
        assert parsed.warnings == ()

    def test_several_keys_in_one_are_questioned(self) -> None:
        for keys in ("k1,k2", "k1 k2"):
            assert "several keys are entries of their own" in warning(f'{P}keys = ["{keys}"]\n')


class TestOwnKeys:
    def test_the_client_key_is_not_taken_for_a_vendors(self) -> None:
        for key in ("sk-agcore-0123456789abcdefghij", "chosen-by-hand"):
            config = f'[proxy]\napi_key = "{key}"\n'
            for text in (config, f'{config}{P}keys = ["env:OPENAI_API_KEY"]\n'):
                parsed = read(text, {"OPENAI_API_KEY": key})
                assert "this is the gateway's own client key, as `agcore env` sets it" in parsed.warnings[0]
                assert not any(provider.keys for provider in parsed.config.providers)

    def test_a_key_of_another_gateways_configuration_is_known_by_its_beginning(self) -> None:
        assert "own client key" in warning("", {"OPENAI_API_KEY": "sk-agcore-0123456789abcdefghij"})

    def test_another_gateway_behind_this_one_takes_such_a_key(self) -> None:
        parsed = read(
            SERVER.format("openai", "http://127.0.0.1:1/v1").replace('"k"', '"sk-agcore-0123456789abcdefghij"')
        )
        assert parsed.warnings == ()

    def test_one_variable_for_both_is_meant(self) -> None:
        text = '[proxy]\napi_key = "env:OPENAI_API_KEY"\n'
        for more in ("", f'{P}keys = ["env:OPENAI_API_KEY"]\n'):
            parsed = read(text + more, {"OPENAI_API_KEY": KEY})
            assert parsed.warnings == ()
            assert parsed.config.providers[0].keys

    def test_a_client_key_that_can_be_guessed_is_questioned_where_one_is_needed(self) -> None:
        def said(text: str) -> tuple[str, ...]:
            return startup_warnings(read(text).config)

        assert said('[proxy]\napi_key = "x"\n') == ()
        for mode in (
            'auth_mode = "strict"',
            'auth_mode = "all_except_health"',
            "allow_lan_access = true",
            'host = "::"',
        ):
            (only,) = said(f'[proxy]\napi_key = "x"\n{mode}\n')
            assert only.startswith('proxy.keys: "default" can be guessed, with fewer than 16 characters; ')
            assert said(f'[proxy]\napi_key = "{KEY}"\n{mode}\n') == ()

    def test_an_admin_key_that_can_be_guessed_is_questioned_in_every_mode(self) -> None:
        weak = read('[proxy]\nadmin_key = "x"\n')
        assert startup_warnings(weak.config) == ("proxy.admin_key: can be guessed, with fewer than 16 characters",)
        assert startup_warnings(read(f'[proxy]\nadmin_key = "{KEY}"\n').config) == ()

    def test_a_client_key_that_has_expired_is_named(self) -> None:
        parsed = read(f'[[proxy.keys]]\nname = "bob"\nkey = "{KEY}"\nexpires = 2026-01-31\n')
        expired = 'proxy.keys: the key "bob" expired on 2026-01-31 00:00 UTC'
        assert startup_warnings(parsed.config) == startup_warnings(parsed.config, now=1_700_000_000.0) == ()
        assert startup_warnings(parsed.config, now=1_800_000_000.0) == (expired,)
        assert f"Warnings\n  {expired}\n" in describe_config(parsed, now=1_800_000_000.0)


class TestAddresses:
    @pytest.mark.parametrize(
        ("dialect", "written", "right"),
        [
            ("openai", "https://h.example/v1/chat/completions", "https://h.example/v1"),
            ("openai", "https://h.example/v1/chat/completions/", "https://h.example/v1"),
            ("openai", "https://h.example/v1/completions", "https://h.example/v1"),
            ("openai_responses", "https://h.example/v1/responses", "https://h.example/v1"),
            ("openai", "https://h.example/v1/embeddings", "https://h.example/v1"),
            ("openai", "https://h.example/v1/models", "https://h.example/v1"),
            ("anthropic", "https://h.example/anthropic/v1/messages", "https://h.example/anthropic"),
            ("anthropic", "https://h.example/messages", "https://h.example"),
            ("gemini", "https://h.example/v1beta/models/gemini-2.5-flash:generateContent", "https://h.example"),
            ("gemini", "https://h.example/v1beta/models", "https://h.example"),
        ],
    )
    def test_a_method_at_the_end_is_named_with_the_address_without_it(
        self, dialect: str, written: str, right: str
    ) -> None:
        said = warning(SERVER.format(dialect, written))
        assert said.startswith("providers[0].base_url: ends with /")
        assert said.endswith(f'which requests add by themselves; write "{right}"')

    def test_a_deployment_of_azure_is_named_with_the_address_of_them_all(self) -> None:
        said = warning(SERVER.format("openai", "https://r.openai.azure.com/openai/deployments/gpt-5/chat/completions"))
        assert 'write "https://r.openai.azure.com/openai/v1", and the deployment as the model' in said

    @pytest.mark.parametrize("host", ["h.example", "8.8.8.8"])
    def test_plain_http_to_a_public_host_is_questioned(self, host: str) -> None:
        said = f"keys and prompts would go to {host} unencrypted; write https:// in place of http://"
        assert warning(SERVER.format("openai", f"http://{host}/v1")) == f"providers[0].base_url: {said}"
        assert warning(f'[mcp.x]\nurl = "http://{host}/mcp"\n') == f"mcp.x.url: {said}"

    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "[::1]", "localhost", "10.0.0.7", "192.168.1.2", "100.64.0.1", "box", "box.local", "m.internal"],
    )
    def test_plain_http_to_a_host_of_ones_own_is_not(self, host: str) -> None:
        assert read(SERVER.format("openai", f"http://{host}/v1")).warnings == ()


class TestNames:
    def test_a_chain_is_a_list(self) -> None:
        assert problem(f'{P}keys = ["{KEY}"]\n[models]\n"x" = "openai/gpt-5, openai/gpt-4"\n') == (
            'models.x: expected "provider/model", found "openai/gpt-5, openai/gpt-4"; '
            'several are a list: ["openai/gpt-5", "openai/gpt-4"]'
        )

    @pytest.mark.parametrize(
        ("regex", "glob"),
        [
            ("^claude-.*", "claude-*"),
            ("claude-.*$", "claude-*"),
            ("gpt-.+", "gpt-*"),
            (r"gpt-4\\.1", "gpt-4.1"),
            ("gpt-4|gpt-5", ""),
            ("gpt-[0-9]", ""),
            ("(gpt)+", ""),
        ],
    )
    def test_a_regular_expression_is_no_glob(self, regex: str, glob: str) -> None:
        texts = (
            f'{P}keys = ["{KEY}"]\nmodels = ["{regex}"]\n',
            f'{P}keys = ["{KEY}"]\n[models]\n"{regex}" = "openai/x"\n',
            f'[[proxy.keys]]\nname = "a"\nkey = "{KEY}"\nmodels = ["{regex}"]\n',
        )
        for text in texts:
            said = warning(text)
            assert "looks like a regular expression, but names are matched by globs" in said
            assert said.endswith(f'; write "{glob}"' if glob else "stands for anything")

    @pytest.mark.parametrize("pattern", ["gpt-4.*", "claude-sonnet-4-5[1m]", "qwen3:8b", "a/b", "*"])
    def test_what_may_be_a_glob_is_one(self, pattern: str) -> None:
        assert read(f'{P}keys = ["{KEY}"]\nmodels = ["{pattern}"]\n').warnings == ()

    def test_several_names_in_one_are_a_list(self) -> None:
        said = warning(f'{P}keys = ["{KEY}"]\nmodels = ["gpt-*, o3*"]\n')
        assert said.endswith('is one name; several are a list: ["gpt-*", "o3*"]')

    def test_several_dialects_in_one_are_a_list(self) -> None:
        said = problem('[[providers]]\nname = "x"\nbase_url = "https://h.example"\ndialect = "openai, anthropic"\n')
        assert said.endswith('several are a list: ["openai", "anthropic"]')

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            *((name, 'did you mean "gemini"?') for name in ("google", "Google", "google-ai-studio")),
            *((name, 'did you mean "anthropic"?') for name in ("claude", "claude-code")),
            ("grok", 'did you mean "xai"?'),
            ("kimi", 'did you mean "moonshot"?'),
            ("lm-studio", 'did you mean "lmstudio"?'),
            ("azure", 'base_url = "https://RESOURCE.openai.azure.com/openai/v1"'),
            ("azure-openai", 'base_url = "https://RESOURCE.openai.azure.com/openai/v1"'),
            ("bedrock", 'base_url = "https://bedrock-runtime.REGION.amazonaws.com/openai/v1"'),
            ("aws", 'base_url = "https://bedrock-runtime.REGION.amazonaws.com/openai/v1"'),
            ("vertex", 'the preset is "gemini"'),
            ("vertex_ai", 'the preset is "gemini"'),
            ("opnai", 'did you mean "openai"?'),
        ],
    )
    def test_a_preset_by_the_name_that_people_try_says_which_is_meant(self, name: str, said: str) -> None:
        assert said in problem(f'[[providers]]\npreset = "{name}"\n')

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[timeouts]\nread = 1", "timeouts.read: unknown key; first_byte is the time until an answer begins, "),
            ("[timeouts]\ntotal = 1", 'timeouts.total: unknown key; did you mean "request"?'),
            ("[server]", 'server: unknown key; did you mean "proxy"?'),
            (P + 'api_base = "x"', 'providers[0].api_base: unknown key; did you mean "base_url"?'),
            (P + 'apiKey = "x"', 'providers[0].apiKey: unknown key; did you mean "keys"?'),
            ('[[proxy.keys]]\nname = "a"\nkey = "b"\ntpm_limit = 1', 'tpm_limit: unknown key; did you mean "tpm"?'),
            ('[proxy]\nauth_mode = "none"', 'did you mean "off"?'),
            ('[[providers]]\nname = "x"\nbase_url = "http://h"\ndialect = "claude"', 'did you mean "anthropic"?'),
            (P + 'strategy = "random"', 'did you mean "round_robin"?'),
            (P + 'auth = "Authorization"', 'did you mean "bearer"?'),
        ],
    )
    def test_names_from_elsewhere_are_answered_with_ours(self, text: str, said: str) -> None:
        assert said in problem(text)

    def test_every_name_that_is_suggested_exists(self) -> None:
        def section(pattern: str) -> Table:
            found: object = SCHEMA
            for part in pattern.replace("[]", ".[]").split(".") if pattern else ():
                if isinstance(found, Table):
                    found = found.keys[part]
                elif isinstance(found, ListOf | MapOf):
                    found = found.item
            assert isinstance(found, Table)
            return found

        for pattern, names in KEYS.items():
            for name, ours in names.items():
                assert name == name.lower()
                assert name not in section(pattern).keys
                assert " " in ours or ours in section(pattern).keys, (pattern, ours)
        choices = {
            "a preset": tuple(PRESETS),
            "a dialect": DIALECT_NAMES,
            "an auth mode": ("off", "strict", "all_except_health", "auto"),
            "a way to send the key": AUTH_NAMES,
            "a strategy": ("sticky", "round_robin", "least_busy"),
        }
        assert choices.keys() == CHOICES.keys()
        for kind, names in CHOICES.items():
            for name, ours in names.items():
                assert name not in choices[kind]
                assert " " in ours or ours in choices[kind], (kind, ours)


class TestOtherFormats:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ('{"proxy": {"port": 8045}}', "JSON"),
            ('\n[\n  {"name": "x"}]', "JSON"),
            ("proxy:\n  port: 8045\n", "YAML"),
            ("---\n# x\nproviders:\n  - name: x\n", "YAML"),
            ("export OPENAI_API_KEY=x\n", "a file for a shell"),
        ],
    )
    def test_what_is_no_toml_is_named(self, text: str, kind: str) -> None:
        said = problem(text)
        assert f"not valid TOML: this looks like {kind}; TOML has lines such as port = 8045" in said
        assert said.startswith("line ")

    def test_a_string_without_quotes_is_named(self) -> None:
        assert problem("[proxy]\nhost = localhost\n").endswith("strings stand in quotes")

    @pytest.mark.parametrize("text", ["[proxy\n", "[proxy]\nport = \n", "x", "[proxy]\nport = 1 2\n"])
    def test_toml_with_a_slip_is_told_as_such(self, text: str) -> None:
        said = problem(text)
        assert "not valid TOML: " in said
        assert "looks like" not in said
        assert "quotes" not in said
