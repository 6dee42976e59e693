# ruff: noqa: ISC004 - the table of what can be wrong has a case on a line, with the whole message
from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.config.parser import (
    ConfigError,
    Parsed,
    Problem,
    effective_auth_mode,
    from_environment,
    parse,
    secret_refs,
    startup_problems,
    startup_warnings,
    with_bind,
    with_demo,
)
from agcore.config.presets import AUTH_NAMES, PRESETS
from agcore.config.report import describe_config
from agcore.config.schema import (
    NOT_YET_IN_EFFECT,
    SCHEMA,
    Flag,
    ListOf,
    MapOf,
    Moment,
    Number,
    OneOr,
    Schema,
    Table,
    Text,
    UrlText,
)
from agcore.config.values import (
    DIALECT_NAMES,
    Config,
    Endpoint,
    Limits,
    McpServer,
    ModelRule,
    Provider,
    Proxy,
    Timeouts,
)
from agcore.protocol.http import Origin
from agcore.routing.catalog import Catalog

FULL = """
[proxy]
host = "127.0.0.1"
port = 8045
auth_mode = "auto"
allow_lan_access = false
api_key = "env:AGCORE_API_KEY"
allowed_hosts = []
cors_origins = []
public_url = ""
on_loss = "report"
proxy_url = ""
tls_cert = ""
tls_key = ""

[timeouts]
header = 15
body_idle = 60
write = 60
connect = 10
first_byte = 570
request = 600
idle = 300
open_after = 10
ping = 15
keepalive = 75
pool_idle = 60
drain = 30
drain_grace = 0

[limits]
max_body_mb = 100
max_json_mb = 32
max_header_kb = 32
max_headers = 100
max_connections = 1000
max_buffered_mb = 512

[retry]
attempts = 4
[pool]
state_file = ""

[[proxy.keys]]
name = "alice"
key = "env:ALICE_KEY"
models = ["claude-*"]

[[providers]]
name = "anthropic"
preset = "anthropic"
keys = ["env:ANTHROPIC_API_KEY", "env:ANTHROPIC_API_KEY_2"]
models = ["claude-*"]
strategy = "sticky"
weight = 1

[[providers]]
name = "gemini"
preset = "gemini"
keys = ["file:/run/secrets/gemini"]

[[providers]]
name = "zai"
preset = "zai"
keys = ["env:ZAI_API_KEY"]

[models]
"gpt-4o" = "gemini/gemini-3-flash"
"claude-haiku-*" = ["zai/glm-4.5-air", "anthropic/claude-haiku-4-5"]

[capabilities."my-model-*"]
sampling = false

[mcp.web_search_prime]
url = "https://api.z.ai/api/mcp/web_search_prime/mcp"
key = "env:ZAI_API_KEY"
auth = "key"
[mcp.web_reader]
url = "https://api.z.ai/api/mcp/web_reader/mcp"
key = "env:ZAI_API_KEY"
[mcp.zai-mcp-server]
builtin = "vision"
model = "zai/glm-4.6v"
file_roots = []

[record]
dir = ""
"""


def read(text: str, **secrets: str) -> Parsed:
    return parse(text, secrets={f"env:{name}": value for name, value in secrets.items()}, environ={})


def provider(lines: str) -> Provider:
    (made,) = read(f'[[providers]]\nname = "p"\nkeys = ["k"]\n{lines}').config.providers
    return made


def urls(made: Provider) -> dict[str, str]:
    return {
        dialect: f"{each.origin.scheme}://{each.origin.host}:{each.origin.port}{each.prefix.decode()}"
        for dialect, each in zip(made.dialect_names, made.endpoints.values(), strict=True)
    }


def problems(text: str, **secrets: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, **secrets)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return str(caught.value).splitlines()


def test_the_full_example_parses() -> None:
    refs = secret_refs(FULL)
    assert refs == (
        "env:AGCORE_API_KEY",
        "env:ALICE_KEY",
        "env:ANTHROPIC_API_KEY",
        "env:ANTHROPIC_API_KEY_2",
        "file:/run/secrets/gemini",
        "env:ZAI_API_KEY",
    )
    parsed = parse(FULL, secrets={ref: f"the-secret-of-{ref}\n" for ref in refs}, environ={})
    config = parsed.config
    assert parsed.warnings == ()
    assert msgspec.structs.replace(config.proxy, keys=()) == Proxy()
    assert [(key.name, key.key.reveal(), key.models) for key in config.proxy.keys] == [
        ("default", "the-secret-of-env:AGCORE_API_KEY", ()),
        ("alice", "the-secret-of-env:ALICE_KEY", ("claude-*",)),
    ]
    assert (config.timeouts, config.limits) == (Timeouts(), Limits())
    assert [made.name for made in config.providers] == ["anthropic", "gemini", "zai"]
    assert config.providers[1].keys[0].reveal() == "the-secret-of-file:/run/secrets/gemini"
    assert config.models == (
        ModelRule("gpt-4o", ((("gemini", "gemini-3-flash"),),)),
        ModelRule("claude-haiku-*", ((("zai", "glm-4.5-air"),), (("anthropic", "claude-haiku-4-5"),))),
    )
    assert config.capabilities == {"my-model-*": {"sampling": False}}
    assert config.mcp[2] == McpServer("zai-mcp-server", builtin="vision", model="zai/glm-4.6v")
    assert parsed.unused == ()


def test_values_of_plain_sections_arrive() -> None:
    parsed = read(
        "\ufeff[timeouts]\nidle = 1.5\ndrain = 0\n[limits]\nmax_json_mb = 0.5\n[retry]\nattempts = 1\n"
        '[pool]\nstate_file = "s"\n[record]\ndir = "d"\n[capabilities.x]\ntools = true\nefforts = ["low"]\ntop_k = true\n'
    )
    config = parsed.config
    assert config.timeouts == Timeouts(idle=1.5, drain=0)
    assert config.limits.max_json == 524288
    assert (config.retry.attempts, config.pool.state_file, config.record.dir) == (1, "s", "d")
    assert config.capabilities == {"x": {"tools": True, "efforts": ["low"], "top_k": True}}
    assert parsed.unused == ("record.dir",)


def test_values_of_proxy_arrive() -> None:
    parsed = read(
        '[proxy]\nhost = "::1"\nport = 0\nauth_mode = "strict"\napi_key = " literal "\non_loss = "reject"\n'
        'allowed_hosts = ["gw.local"]\ncors_origins = ["null", "http://localhost:3000", "vscode-webview://*"]\n'
        'public_url = "https://gw.example/x/"\nproxy_url = "http://u:p@squid:3128"\n'
        'tls_cert = "c.pem"\ntls_key = "k.pem"\n'
    )
    proxy = parsed.config.proxy
    assert msgspec.structs.replace(proxy, keys=()) == Proxy(
        host="::1",
        port=0,
        auth_mode="strict",
        on_loss="reject",
        allowed_hosts=("gw.local",),
        cors_origins=("null", "http://localhost:3000", "vscode-webview://*"),
        public_url="https://gw.example/x",
        proxy_url="http://u:p@squid:3128",
        tls_cert="c.pem",
        tls_key="k.pem",
    )
    assert [key.key.reveal() for key in proxy.keys] == ["literal"]
    assert parsed.unused == ()


def test_host_is_every_address_when_the_lan_may_connect_and_none_is_given() -> None:
    assert read("[proxy]\nallow_lan_access = true").config.proxy.host == "0.0.0.0"
    assert read('[proxy]\nallow_lan_access = true\nhost = "10.0.0.1"').config.proxy.host == "10.0.0.1"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        ('"2027-01-31T12:00:00Z"', datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ('"2027-01-31"', datetime(2027, 1, 31, tzinfo=UTC)),
    ],
)
def test_expiry_is_utc_unless_it_says_otherwise(written: str, moment: datetime) -> None:
    text = f'[[proxy.keys]]\nname = "a"\nkey = "k"\nexpires = {written}\nrpm = 5\ntpm = 6\nconcurrency = 7'
    parsed = read(text)
    (key,) = parsed.config.proxy.keys
    assert key.expires == moment.timestamp()
    assert (key.rpm, key.tpm, key.concurrency) == (5, 6, 7)
    assert parsed.unused == ()


# Secrets


def test_references_of_invalid_toml_are_none() -> None:
    assert secret_refs('[proxy]\napi_key = "env:X') == ()


def test_references_are_found_only_where_secrets_belong_and_beside_mistakes() -> None:
    text = """
    oops = "env:NO"
    [proxy]
    host = "env:NO"
    api_key = "env:A"
    keys = [{ name = "env:NO", key = "env:B" }, 5]
    [[providers]]
    keys = ["env:C", "literal", "env:", "env:A", 7]
    headers = { x = "file:D" }
    [mcp.x]
    key = "env:E"
    [mcp]
    y = 1
    """
    assert secret_refs(text.replace("[mcp]\n    y = 1\n", "")) == ("env:A", "env:B", "env:C", "file:D", "env:E")


def test_without_api_key_the_environment_is_asked() -> None:
    parsed = parse("[proxy]\nport = 1", secrets={}, environ={"AGCORE_API_KEY": " env:x "})
    assert [(key.name, key.key.reveal()) for key in parsed.config.proxy.keys] == [("default", "env:x")]
    assert parse("", secrets={}, environ={"AGCORE_API_KEY": ""}).config.proxy.keys == ()
    written = parse('[proxy]\napi_key = "k"', secrets={}, environ={"AGCORE_API_KEY": "other"})
    assert [key.key.reveal() for key in written.config.proxy.keys] == ["k"]


def test_an_api_key_of_the_environment_must_fit_a_header() -> None:
    with pytest.raises(ConfigError, match="AGCORE_API_KEY") as caught:
        from_environment({"AGCORE_API_KEY": "schlüssel"})
    assert "schl" not in str(caught.value)


def test_a_provider_key_that_leads_nowhere_is_left_out_with_a_warning() -> None:
    parsed = read('[[providers]]\npreset = "openai"\nkeys = ["env:A", "env:B", "file:/x"]', B="b-key", A="\n")
    assert [key.reveal() for key in parsed.config.providers[0].keys] == ["b-key"]
    assert parsed.warnings == (
        'providers[0].keys[0]: the environment variable "A" is not set; left out',
        'providers[0].keys[2]: the file "/x" is unreadable or empty; left out',
    )


def test_a_provider_without_a_key_it_needs_is_kept_with_a_warning() -> None:
    parsed = read('[[providers]]\npreset = "openai"\nkeys = ["env:A"]')
    (made,) = parsed.config.providers
    assert made.keys == ()
    assert {each.auth for each in made.endpoints.values()} == {"bearer"}
    assert parsed.warnings[1] == (
        'providers[0]: provider "openai" has no key to use and will not answer; set keys = ["env:OPENAI_API_KEY"]'
    )


def test_a_provider_elsewhere_needs_a_key_or_says_that_it_needs_none() -> None:
    lines = '[[providers]]\nname = "p"\ndialect = "openai"\nbase_url = "https://x.example/v1"\n'
    parsed = read(lines)
    assert parsed.warnings == (
        'providers[0]: provider "p" has no key to use and will not answer; set keys, or auth = "none"',
    )
    quiet = read(lines + 'auth = "none"')
    assert quiet.warnings == ()
    assert quiet.config.providers[0].endpoints["openai_chat"].auth == "none"


@pytest.mark.parametrize("lines", ['preset = "ollama"', 'dialect = "openai"\nbase_url = "http://localhost:9/v1"'])
def test_a_provider_on_this_machine_needs_no_key(lines: str) -> None:
    parsed = read(f'[[providers]]\nname = "p"\n{lines}')
    assert parsed.warnings == ()
    assert parsed.config.providers[0].endpoints["openai_chat"].auth == "none"
    assert provider(lines).endpoints["openai_chat"].auth == "bearer"


def test_keys_that_are_not_sent_and_keys_that_stand_twice_are_warned_about() -> None:
    parsed = read('[[providers]]\npreset = "openai"\nauth = "none"\nkeys = ["a", "env:A"]', A="a")
    assert len(parsed.config.providers[0].keys) == 1
    assert parsed.warnings == (
        "providers[0].keys[1]: the same key as providers[0].keys[0]; this one is left out",
        'providers[0]: provider "openai" has auth = "none", so that its keys are not sent',
    )


def test_an_mcp_key_that_leads_nowhere_is_a_warning() -> None:
    parsed = read('[mcp.x]\nurl = "https://h/p?token=t"\nkey = "env:A"\nauth = "client"')
    endpoint = Endpoint("mcp", Origin("https", "h", 443), b"/p?token=t", "x-api-key")
    assert parsed.config.mcp == (McpServer("x", url="https://h/p?token=t", endpoint=endpoint, auth="client"),)
    assert parsed.warnings == ('mcp.x.key: the environment variable "A" is not set; left out',)
    assert parsed.unused == ()


@pytest.mark.parametrize(
    ("url", "origin", "prefix"),
    [
        ("https://h", Origin("https", "h", 443), b"/"),
        ("http://H:8080/a/mcp", Origin("http", "h", 8080), b"/a/mcp"),
        ("http://h/mcp/", Origin("http", "h", 80), b"/mcp/"),
        ("http://[::1]:9/mcp?a=1&b=%2F?", Origin("http", "::1", 9), b"/mcp?a=1&b=%2F?"),
        ("http://h?a=/b", Origin("http", "h", 80), b"/?a=/b"),
    ],
)
def test_an_mcp_server_is_reached_at_its_url_to_the_letter(url: str, origin: Origin, prefix: bytes) -> None:
    (server,) = read(f'[mcp.x]\nurl = "{url}"').config.mcp
    assert server.endpoint == Endpoint("mcp", origin, prefix, "bearer")


# Providers


def test_an_endpoint_has_origin_prefix_and_auth_resolved() -> None:
    made = provider('dialect = "anthropic"\nbase_url = "HTTPS://Host.Example/a/b/"\nca_file = "/ca.pem"')
    assert made.endpoints == {
        "anthropic": Endpoint("anthropic", Origin("https", "host.example", 443, "/ca.pem"), b"/a/b", "x-api-key")
    }
    assert (made.signer, made.models, made.preset) == ("p", ("*",), "")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('base_url = "http://[::1]:8/v1/"\ndialect = "openai"', {"openai": "http://::1:8/v1"}),
        ('base_url = "http://h"\ndialect = "gemini"', {"gemini": "http://h:80"}),
        # Several dialects, one string: the server.
        (
            'base_url = "http://h/v1"\ndialect = ["anthropic", "openai", "anthropic"]',
            {"anthropic": "http://h:80", "openai": "http://h:80/v1"},
        ),
        (
            'base_url = "http://h/x"\ndialect = ["openai", "gemini"]',
            {"openai": "http://h:80/x/v1", "gemini": "http://h:80/x"},
        ),
        # A table is its own list of dialects.
        (
            'base_url = { gemini = "http://g", openai = "http://o/v1" }',
            {"gemini": "http://g:80", "openai": "http://o:80/v1"},
        ),
        # A preset, changed.
        ('preset = "zai"\ndialect = "anthropic"', {"anthropic": "https://api.z.ai:443/api/anthropic"}),
        ('preset = "zai"\ndialect = "openai"\nbase_url = "http://h/v4"', {"openai": "http://h:80/v4"}),
        (
            'preset = "zai"\nbase_url = { openai = "http://h/v4" }',
            {"openai": "http://h:80/v4", "anthropic": "https://api.z.ai:443/api/anthropic"},
        ),
        (
            'preset = "together"\nbase_url = "http://h/v2"',
            {"openai": "http://h:80/v2", "openai_completions": "http://h:80/v2"},
        ),
        (
            'preset = "openrouter"\nbase_url = "http://h/api/v1"',
            {"openai": "http://h:80/api/v1", "openai_responses": "http://h:80/api/v1", "anthropic": "http://h:80/api"},
        ),
        (
            'preset = "mistral"\nbase_url = { anthropic = "http://h" }',
            {"openai": "https://api.mistral.ai:443/v1", "anthropic": "http://h:80"},
        ),
        (
            'preset = "ollama"\ndialect = ["anthropic", "openai"]\nbase_url = { anthropic = "http://127.0.0.1:11434" }',
            {"anthropic": "http://127.0.0.1:11434", "openai": "http://127.0.0.1:11434/v1"},
        ),
    ],
)
def test_base_urls_come_from_the_preset_and_the_file(lines: str, expected: dict[str, str]) -> None:
    made = provider(lines)
    assert list(urls(made).items()) == list(expected.items())


def test_auth_comes_from_the_file_then_the_preset_then_the_dialect() -> None:
    assert {each.auth for each in provider('preset = "gemini"\nauth = "bearer"').endpoints.values()} == {"bearer"}
    assert provider('preset = "moonshot"').endpoints["anthropic"].auth == "bearer"
    assert provider('preset = "deepseek"').endpoints["anthropic"].auth == "x-api-key"
    assert provider('dialect = "gemini"\nbase_url = "http://h"').endpoints["gemini"].auth == "x-goog-api-key"


def test_the_rest_of_a_provider_arrives() -> None:
    made = provider(
        'preset = "openai"\nmodels = ["a", "b-*"]\nstrategy = "least_busy"\nweight = 2.5\n'
        'proxy_url = "http://u:p@h:1"\nheaders = { X-Team = "core", x-empty = "", x-gone = "env:GONE" }'
    )
    assert (made.models, made.strategy, made.weight, made.signer) == (("a", "b-*"), "least_busy", 2.5, "openai")
    assert (made.proxy_url, made.headers) == ("http://u:p@h:1", ((b"x-team", b"core"), (b"x-empty", b"")))
    assert provider('preset = "openai"\nmodels = []').models == ()


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (
            'dialect = "openai"\nbase_url = "http://h"',
            "has no path; servers that speak OpenAI usually want /v1 at its end",
        ),
        (
            'dialect = "anthropic"\nbase_url = "http://h/v1"',
            "ends with /v1, which anthropic requests add by themselves; leave it out",
        ),
        (
            'base_url = { gemini = "http://h/v1beta/" }',
            "ends with /v1beta, which gemini requests add by themselves; leave it out",
        ),
    ],
)
def test_a_base_url_that_is_probably_wrong_is_warned_about(lines: str, warning: str) -> None:
    parsed = read(f'[[providers]]\nname = "p"\nkeys = ["k"]\n{lines}')
    assert parsed.warnings == (f"providers[0].base_url: {warning}",)


# The environment


def test_an_empty_environment_has_no_providers() -> None:
    assert from_environment({"HOME": "/"}) == Parsed(Config())


def test_providers_of_the_environment_stand_in_the_order_of_the_presets() -> None:
    environ = {"OPENROUTER_API_KEY": "r", "ZAI_API_KEY": "z", "GOOGLE_API_KEY": "g2", "GEMINI_API_KEY": "g1"}
    made = from_environment(environ).config.providers
    assert [(each.name, each.keys[0].reveal()) for each in made] == [
        ("gemini", "g1"),
        ("zai", "z"),
        ("openrouter", "r"),
    ]
    assert made[2].models == ("*",)


def test_a_key_of_the_environment_that_no_header_carries_is_left_out() -> None:
    parsed = from_environment({"OPENAI_API_KEY": "k\u00e9", "ZAI_API_KEY": "z"})
    assert [each.name for each in parsed.config.providers] == ["zai"]
    assert parsed.warnings == ("OPENAI_API_KEY: characters that an HTTP header cannot carry; left out",)


def models(lines: str) -> tuple[ModelRule, ...]:
    return read(
        f'[[providers]]\nname = "p"\npreset = "zai"\n[[providers]]\nname = "q"\npreset = "xai"\n{lines}'
    ).config.models


def test_a_line_of_models_is_steps_of_one_or_several_targets() -> None:
    assert models(
        '[models]\n"one" = "p/a"\n"listed" = ["p/a"]\n"chain" = ["p/a", "q/b/c"]\n'
        '"pool" = [["p/a", "q/*"]]\n"both" = [["p/*", "q/b"], "p/c", ["q/d"]]\n'
    ) == (
        ModelRule("one", ((("p", "a"),),)),
        ModelRule("listed", ((("p", "a"),),)),
        ModelRule("chain", ((("p", "a"),), (("q", "b/c"),))),
        ModelRule("pool", ((("p", "a"), ("q", "*")),)),
        ModelRule("both", ((("p", "*"), ("q", "b")), (("p", "c"),), (("q", "d"),))),
    )


def test_a_table_named_after_a_dialect_holds_rules_for_its_clients() -> None:
    text = '[models]\n"x" = "p/a"\n"gemini" = "p/g"\n"openai" = ["p/o"]\n[models.anthropic]\n"x" = ["q/a", "p/*"]\n"openai" = "q/o"\n'
    assert models(text) == (
        ModelRule("x", ((("p", "a"),),)),
        ModelRule("gemini", ((("p", "g"),),)),
        ModelRule("openai", ((("p", "o"),),)),
        ModelRule("x", ((("q", "a"),), (("p", "*"),)), "anthropic"),
        ModelRule("openai", ((("q", "o"),),), "anthropic"),
    )


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_every_dialect_can_have_its_own_rules(dialect: str) -> None:
    assert models(f'[models]\n{dialect} = {{ "x-*" = "p/*" }}') == (ModelRule("x-*", ((("p", "*"),),), dialect),)
    assert models(f"[models.{dialect}]") == ()


def test_a_file_without_providers_takes_those_of_the_environment() -> None:
    text = '[models]\n"x" = "openai/gpt-5"'
    config = parse(text, secrets={}, environ={"OPENAI_API_KEY": "k"}).config
    assert [each.name for each in config.providers] == ["openai"]
    with_own = parse('[[providers]]\npreset = "ollama"', secrets={}, environ={"OPENAI_API_KEY": "k"})
    assert [each.name for each in with_own.config.providers] == ["ollama"]


# What can be wrong

P = '[[providers]]\nname = "p"\n'
DIALECTS = '"openai", "openai_completions", "openai_responses", "anthropic" or "gemini"'

# fmt: off
WRONG: list[tuple[str, str]] = [
    # Keys
    ("[proxy]\nprot = 1", 'proxy.prot: unknown key; did you mean "port"?'),
    ("[retry]\nzzz = 1", "retry.zzz: unknown key; allowed: attempts, patience"),
    ("[provider]", 'provider: unknown key; did you mean "providers"?'),
    ('[[providers]]\npreset = "openai"\nkey = "k"', 'providers[0].key: unknown key; did you mean "keys"?'),
    ('[proxy]\n"a b" = 1', 'proxy."a b": unknown key; allowed: host, port, auth_mode, allow_lan_access, api_key, '
     "admin_key, keys, allowed_hosts, cors_origins, public_url, tables, on_loss, proxy_url, ca_file, tls_cert, tls_key"),
    # Types
    ('[timeouts]\nidle = "5m"', 'timeouts.idle: expected a number of seconds, found the string "5m"'),
    ("[timeouts]\nidle = true", "timeouts.idle: expected a number of seconds, found true"),
    ("[timeouts]\nidle = 2020-01-01", "timeouts.idle: expected a number of seconds, found a date or time"),
    ("[limits]\nmax_headers = 1.5", "limits.max_headers: expected a whole number, found the number 1.5"),
    ("[proxy]\nallow_lan_access = 1", "proxy.allow_lan_access: expected true or false, found the number 1"),
    ("[proxy]\nhost = []", "proxy.host: expected an address to listen on, found a list"),
    ("proxy = 5", "proxy: expected a table, found a number"),
    ("[providers]\nx = 1", "providers: expected tables, each headed [[providers]], found a table"),
    ("providers = [1]", "providers[0]: expected a table, found a number"),
    ("models = false", "models: expected a table, found false"),
    ("[models]\nx = 1", 'models.x: expected "provider/model" or a list of them, found a number'),
    ("[capabilities.x]\ntool = true", 'capabilities.x.tool: unknown key; did you mean "tools"?'),
    ("[capabilities.x]\ntools = 1", "capabilities.x.tools: expected true or false, found the number 1"),
    ("[capabilities.x]\nmin_budget = -1", "capabilities.x.min_budget: expected a whole number from 0 to 1000000000, found the number -1"),
    ("[capabilities.x]\nefforts = [1]", "capabilities.x.efforts[0]: expected a string, found the number 1"),
    ("[capabilities.x]\ndisplay_name = []", "capabilities.x.display_name: expected a string, found a list"),
    ('[capabilities.x]\nreasoning = "leve"', 'capabilities.x.reasoning: expected "none", "effort", "budget", "adaptive" or "level", '
     'found "leve"; did you mean "level"?'),
    ('[proxy]\nhost = "a\\u001bb"', 'proxy.host: expected a host name or IP address, without brackets or port, found "a\\u001bb"'),
    # Ranges
    ("[proxy]\nport = 65536", "proxy.port: expected a port number from 0 to 65535, found the number 65536"),
    ("[timeouts]\nidle = 0", "timeouts.idle: expected a number of seconds from 0.001 to 31536000, found the number 0"),
    ("[timeouts]\ndrain = -1", "timeouts.drain: expected a number of seconds from 0 to 31536000, found the number -1"),
    ("[timeouts]\nping = nan", "timeouts.ping: expected a number of seconds from 0.001 to 31536000, found the number nan"),
    ("[timeouts]\nping = inf", "timeouts.ping: expected a number of seconds from 0.001 to 31536000, found a number"),
    ("[limits]\nmax_headers = 0", "limits.max_headers: expected a whole number from 1 to 1000000000, found the number 0"),
    ("[retry]\nattempts = 0", "retry.attempts: expected a whole number from 1 to 100, found the number 0"),
    (P + 'preset = "openai"\nweight = 0', "providers[0].weight: expected a number from 0.001 to 1000000, found the number 0"),
    ("[limits]\nmax_body_mb = 0x" + "f" * 5000, "limits.max_body_mb: expected a number from 0.001 to 1000000, found a number"),
    # Choices
    ('[proxy]\nauth_mode = "strickt"', 'proxy.auth_mode: expected "off", "strict", "all_except_health" or "auto", '
     'found "strickt"; did you mean "strict"?'),
    ('[proxy]\non_loss = "x"', 'proxy.on_loss: expected "report" or "reject", found "x"'),
    (P + 'preset = "openai"\nauth = "beaver"', 'providers[0].auth: expected "bearer", "x-api-key", "x-goog-api-key" or "none", '
     'found "beaver"; did you mean "bearer"?'),
    (P + 'preset = "openai"\nstrategy = "stiky"', 'providers[0].strategy: expected "sticky", "round_robin" or "least_busy", '
     'found "stiky"; did you mean "sticky"?'),
    (P + 'preset = "openai"\ndialect = "opennai"', 'providers[0].dialect: expected "openai", "openai_completions", '
     '"openai_responses", "anthropic" or "gemini", found "opennai"; did you mean "openai"?'),
    (P + 'preset = "openai"\ndialect = ["openai", "Gemini"]', 'providers[0].dialect[1]: expected "openai", '
     '"openai_completions", "openai_responses", "anthropic" or "gemini", found "Gemini"; did you mean "gemini"?'),
    ('[mcp.x]\nbuiltin = "visoin"\nmodel = "p/m"\n' + P + 'preset = "openai"',
     'mcp.x.builtin: expected "vision", found "visoin"; did you mean "vision"?'),
    # [proxy]
    ('[proxy]\nhost = "[::1]"', "proxy.host: expected a host name or IP address, without brackets or port, found \"[::1]\""),
    ('[proxy]\nhost = "a:1"', "proxy.host: expected a host name or IP address, without brackets or port, found \"a:1\""),
    ('[proxy]\nhost = ""', "proxy.host: expected an address to listen on, found an empty string"),
    ('[proxy]\nallowed_hosts = ["a", "http://b"]', 'proxy.allowed_hosts[1]: expected a host name, without scheme, port or wildcard, found "http://b"'),
    ('[proxy]\ncors_origins = ["*"]', 'proxy.cors_origins[0]: expected an origin such as "http://localhost:3000", "null" or "scheme://*", found "*"'),
    ('[proxy]\ncors_origins = ["http://a/"]', 'proxy.cors_origins[0]: expected an origin such as "http://localhost:3000", "null" or "scheme://*", found "http://a/"'),
    ('[proxy]\ncors_origins = ["http://*.a"]', 'proxy.cors_origins[0]: expected an origin such as "http://localhost:3000", "null" or "scheme://*", found "http://*.a"'),
    ('[proxy]\ntls_cert = "c"', "proxy.tls_cert: set without tls_key; serving HTTPS takes both"),
    ('[proxy]\ntls_cert = ""\ntls_key = "k"', "proxy.tls_key: set without tls_cert; serving HTTPS takes both"),
    ('[proxy]\npublic_url = "gw.example"', "proxy.public_url: expected an http:// or https:// URL, found a string without http:// or https://"),
    ('[proxy]\napi_key = ""', 'proxy.api_key: expected a key, "env:NAME", "file:PATH" or "cmd:COMMAND", found an empty string'),
    ('[proxy]\napi_key = " "', "proxy.api_key: expected printable ASCII characters, found only white space"),
    ("[proxy]\napi_key = 12345", 'proxy.api_key: expected a key, "env:NAME", "file:PATH" or "cmd:COMMAND", found a number'),
    ('[proxy]\napi_key = "env:"', 'proxy.api_key: expected a key, "env:NAME", "file:PATH" or "cmd:COMMAND", found "env:" without a name'),
    ('[proxy]\napi_key = "env:X"', 'proxy.api_key: the environment variable "X" is not set'),
    ('[proxy]\napi_key = "file:/x"', 'proxy.api_key: the file "/x" is unreadable or empty'),
    ('[proxy]\napi_key = "a\\u0007b"', "proxy.api_key: expected printable ASCII characters, found characters that an HTTP header cannot carry"),
    ('[[proxy.keys]]\nname = "a"', "proxy.keys[0].key: missing; every [[proxy.keys]] has a name and a key"),
    ('[[proxy.keys]]\nkey = "a"', "proxy.keys[0].name: missing; every [[proxy.keys]] has a name and a key"),
    ('[[proxy.keys]]\nname = "a"\nkey = "env:X"', 'proxy.keys[0].key: the environment variable "X" is not set'),
    ('[[proxy.keys]]\nname = "a"\nkey = "1"\n[[proxy.keys]]\nname = "a"\nkey = "2"',
     'proxy.keys[1].name: "a" is the name of another client key; names differ'),
    ('[[proxy.keys]]\nname = "a"\nkey = "1"\n[[proxy.keys]]\nname = "b"\nkey = "1"',
     "proxy.keys[1].key: the same key as proxy.keys[0].key; keys differ"),
    ('[proxy]\napi_key = "1"\nkeys = [{ name = "default", key = "2" }]',
     'proxy.keys[0].name: "default" is the name of another client key; names differ'),
    ('[proxy]\napi_key = "1"\nkeys = [{ name = "a", key = "1" }]',
     "proxy.keys[0].key: the same key as proxy.api_key; keys differ"),
    ('[[proxy.keys]]\nname = "a"\nkey = "1"\nmodels = []',
     "proxy.keys[0].models: expected a list of model names or globs, found an empty list; leave it out to allow all models"),
    ('[[proxy.keys]]\nname = "a"\nkey = "1"\nmodels = ["x", ""]',
     "proxy.keys[0].models[1]: expected a model name or glob, found an empty string"),
    ("[proxy]\nkeys = [1]", "proxy.keys[0]: expected a table, found a number"),
    *(
        (f'[[proxy.keys]]\nname = "a"\nkey = "1"\nexpires = {value}',
         f'proxy.keys[0].expires: expected a date such as 2027-01-31 or "2027-01-31T12:00:00Z", found {found}')
        for value, found in (("12:00:00", "a date or time"), ('"soon"', 'the string "soon"'), ("1", "the number 1"),
                             ("0001-01-01", "a date or time"), ("9999-12-31T23:59:59-23:59", "a date or time"))
    ),
    # [[providers]]
    ('[[providers]]\ndialect = "openai"\nbase_url = "http://h/v1"', "providers[0].name: missing; a provider takes a name, or that of its preset"),
    ('[[providers]]\nname = "a/b"\npreset = "openai"', 'providers[0].name: expected a name of ASCII letters, digits, dots, - and _, found "a/b"'),
    ('[[providers]]\nname = "a b"\npreset = "openai"', 'providers[0].name: expected a name of ASCII letters, digits, dots, - and _, found "a b"'),
    ('[[providers]]\npreset = "groq"\n[[providers]]\npreset = "groq"',
     'providers[1].name: "groq" is the name of providers[0]; give each provider a name of its own'),
    (P, "providers[0]: neither preset nor base_url; a provider takes a preset, or a dialect and a base_url"),
    (P + 'dialect = "openai"', "providers[0].base_url: missing; a provider takes a preset, or a dialect and a base_url"),
    (P + 'base_url = "http://h/v1"', "providers[0].dialect: missing; dialects: openai, openai_completions, openai_responses, anthropic, gemini"),
    (P + 'preset = "openai"\ndialect = []', "providers[0].dialect: an empty list; dialects: openai, openai_completions, openai_responses, anthropic, gemini"),
    (P + 'preset = "openai"\ndialect = "gemini"', 'providers[0].base_url: no URL for the dialect "gemini"; base_url = { gemini = ... }'),
    (P + 'dialect = "openai"\nbase_url = { openai = "http://h/v1", gemini = "http://h" }',
     'providers[0].base_url.gemini: a URL for a dialect that this provider does not speak; add "gemini" to dialect'),
    (P + 'base_url = { opeanai = "http://h/v1", gemini = "http://h" }',
     'providers[0].base_url: expected URLs for "openai", "openai_completions", "openai_responses", "anthropic" or "gemini", '
     'found "opeanai"; did you mean "openai"?'),
    (P + 'preset = "zai"\nbase_url = "http://h/v1"',
     "providers[0].base_url: one URL for dialects that this preset has on unrelated paths (openai, anthropic); "
     "name one of them as dialect, or give a table by dialect"),
    (P + 'preset = "openai"\nbase_url = 5', "providers[0].base_url: expected a URL or a table of URLs by dialect, found a number"),
    *(
        (P + f'dialect = "openai"\nbase_url = "{url}"',
         f"providers[0].base_url: expected an http:// or https:// URL, found {found}")
        for url, found in (
            ("", "an empty string"),
            ("api.x.com/v1", "a string without http:// or https://"),
            ("ftp://h", "a URL with another scheme"),
            ("http://h/a b", "a URL with white space or characters outside ASCII"),
            ("http://hé", "a URL with white space or characters outside ASCII"),
            ("http://h/v1?key=sk", "a URL with a query"),
            ("http://h/v1#x", "a URL with a fragment"),
            ("http://me:sk@h", "a URL with a user name"),
            ("http:///v1", "a URL without a host"),
            ("http://:80", "a URL without a host"),
            ("http://a_!b", "a URL whose host is not one"),
            ("http://...", "a URL whose host is not one"),
            ("http://::1/v1", "a URL with an IPv6 address without brackets"),
            ("http://fe80::1/v1", "a URL with an IPv6 address without brackets"),
            ("http://[::1/v1", "a URL whose address in brackets is not IPv6"),
            ("http://[::g]/v1", "a URL whose address in brackets is not IPv6"),
            ("http://[1.2.3.4]/v1", "a URL whose address in brackets is not IPv6"),
            ("http://[::1]8/v1", "a URL whose host is not one"),
            ("http://h:0", "a URL whose port is not a number from 1 to 65535"),
            ("http://h:", "a URL whose port is not a number from 1 to 65535"),
            ("http://h:65536", "a URL whose port is not a number from 1 to 65535"),
            ("http://h:x", "a URL whose port is not a number from 1 to 65535"),
        )
    ),
    (P + 'preset = "openai"\nkeys = "sk-1"', 'providers[0].keys: expected a list of keys, as in ["env:NAME"], found a string; several, or one, stand in brackets'),
    (P + 'preset = "openai"\nkeys = [""]', 'providers[0].keys[0]: expected a key, "env:NAME", "file:PATH" or "cmd:COMMAND", found an empty string'),
    (P + 'preset = "openai"\nkeys = ["ключ"]', "providers[0].keys[0]: expected printable ASCII characters, found characters that an HTTP header cannot carry"),
    (P + 'preset = "openai"\nheaders = { Host = "h" }', "providers[0].headers.Host: a header that the gateway sets itself; for credentials, see keys and auth"),
    (P + 'preset = "openai"\nheaders = { "a b" = "h" }', 'providers[0].headers."a b": expected a header name, found "a b"'),
    (P + 'preset = "openai"\nheaders = { "" = "h" }', 'providers[0].headers."": expected a header name, found ""'),
    (P + 'preset = "openai"\nheaders = { x = "h", X = "i" }', "providers[0].headers.X: a header that stands twice; names differ in more than case"),
    (P + 'preset = "openai"\nheaders = { x = 1 }', "providers[0].headers.x: expected a header value, found a number"),
    (P + 'preset = "openai"\nheaders = { x = "a\\nb" }', "providers[0].headers.x: expected printable ASCII characters, found characters that an HTTP header cannot carry"),
    # [models]
    (P + 'preset = "openai"\n[models]\nx = "gpt-5"', 'models.x: expected "provider/model", found "gpt-5"'),
    (P + 'preset = "openai"\n[models]\nx = "p/"', 'models.x: expected "provider/model", found "p/"'),
    (P + 'preset = "openai"\n[models]\n"x-*" = ["p/a", "q"]', 'models."x-*"[1]: expected "provider/model", found "q"'),
    (P + 'preset = "openai"\n[models]\nx = []', 'models.x: expected "provider/model" or a list of them, found an empty list'),
    (P + 'preset = "openai"\n[models]\nx = ["p/a", 1]', 'models.x[1]: expected "provider/model" or a list of them, found a number'),
    (P + 'preset = "openai"\n[models]\nx = ["p/a", ["p/b", 1]]', 'models.x[1][1]: expected "provider/model", found the number 1'),
    (P + 'preset = "openai"\n[models]\nx = [["p/a"], ["p/b", "q"]]', 'models.x[1][1]: expected "provider/model", found "q"'),
    (P + 'preset = "openai"\n[models]\nx = [["p/a", "q"]]', 'models.x[0][1]: expected "provider/model", found "q"'),
    (P + 'preset = "openai"\n[models]\nx = [["q"]]', 'models.x: expected "provider/model", found "q"'),
    (P + 'preset = "openai"\n[models]\nx = [[]]', 'models.x[0]: expected "provider/model" or a list of them, found an empty list'),
    (P + 'preset = "openai"\n[models]\nx = ["p/a", []]', 'models.x[1]: expected "provider/model" or a list of them, found an empty list'),
    (P + 'preset = "openai"\n[models]\nx = ["p/a", ["p/b", ["p/c"]]]', 'models.x[1][1]: expected "provider/model", found a list'),
    (P + 'preset = "openai"\n[models]\nx = ["p/a", ""]', 'models.x[1]: expected "provider/model", found an empty string'),
    (P + 'preset = "openai"\n[models]\n"x-*" = "p/y-*"', 'models."x-*": expected "provider/model", or "provider/*" for the name asked for, found "p/y-*"'),
    (P + 'preset = "openai"\n[models.gemini]\n"x-*" = ["p/*", "p/**"]', 'models.gemini."x-*"[1]: expected "provider/model", or "provider/*" for the name asked for, found "p/**"'),
    (P + 'preset = "openai"\n[models.gemini]\n"" = "p/*"', 'models.gemini."": expected a model name or glob, found an empty name'),
    (P + 'preset = "openai"\n[models.antropic]\nx = "p/a"', f'models.antropic: a table, which only {DIALECTS} can be; did you mean "anthropic"?'),
    (P + 'preset = "openai"\n[models]\nclaude-3.5 = "p/a"', f'models.claude-3: a table, which only {DIALECTS} can be; a name with a dot in it is written in quotes'),
    (P + 'preset = "openai"\n[models.gemini.anthropic]\nx = "p/a"', 'models.gemini.anthropic: expected "provider/model" or a list of them, found a table'),
    ('[[providers]]\nname = "google"\npreset = "gemini"\n[models.gemini]\nx = ["google/*", ["google/a", "gogle/a"]]',
     'models.gemini.x[1][1]: no provider is named "gogle"; did you mean "google"?'),
    (P + 'preset = "openai"\n[models]\n"" = "p/a"', 'models."": expected a model name or glob, found an empty name'),
    ('[[providers]]\nname = "google"\npreset = "gemini"\n[models]\nx = "gogle/a"', 'models.x: no provider is named "gogle"; did you mean "google"?'),
    (P + 'preset = "openai"\n[models]\nx = "zai/a"', 'models.x: no provider is named "zai"; providers: p'),
    ('[models]\nx = "zai/a"', 'models.x: no provider is named "zai"; providers: none'),
    # [mcp]
    ('[mcp.x]\nkey = "k"', "mcp.x: expected one of url and builtin, found neither url nor builtin"),
    ('[mcp.x]\nurl = "http://h"\nbuiltin = "vision"', "mcp.x: expected one of url and builtin, found both url and builtin"),
    ('[mcp.x]\nbuiltin = "vision"', 'mcp.x.model: missing; a built-in server needs a model, "provider/model"'),
    (P + 'preset = "openai"\n[mcp.x]\nbuiltin = "vision"\nmodel = "p/*"', 'mcp.x.model: expected "provider/model", found "p/*"'),
    ('[mcp.x]\nbuiltin = "vision"\nmodel = "glm"', 'mcp.x.model: expected "provider/model", found "glm"'),
    (P + 'preset = "openai"\n[mcp.x]\nbuiltin = "vision"\nmodel = "p/m"\nkey = "k"', "mcp.x.key: of no use with builtin"),
    ('[mcp.x]\nurl = "http://h"\nfile_roots = ["/"]', "mcp.x.file_roots: of no use with url"),
    (P + 'preset = "openai"\n[mcp.x]\nbuiltin = "vision"\nmodel = "p/m"\nfile_roots = ["/a", "pictures"]', 'mcp.x.file_roots[1]: expected an absolute path, found "pictures"'),
    ('[mcp."a/b"]\nurl = "http://h"', 'mcp."a/b": expected a name of ASCII letters, digits, dots, - and _, found "a/b"'),
    ('[mcp.x]\nurl = "http://h"\nauth = "keys"', 'mcp.x.auth: expected "key" or "client", found "keys"; did you mean "key"?'),
    ("[mcp]\nx = 1", "mcp.x: expected a table, found a number"),
    # Not even TOML
    ("[proxy]\nport = \n", "line 2, column 8: not valid TOML: Invalid value"),
    ("a = [1", "line 1, column 7: not valid TOML: Unclosed array"),
    ("a = 1\na = 2", "line 2, column 6: not valid TOML: Cannot overwrite a value"),
    ("a = " + "9" * 5000, "the file: not valid TOML: a number with too many digits"),
    ("a = " + "[" * 5000, "the file: not valid TOML: nested too deeply"),
]
# fmt: on


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
def test_what_is_wrong_is_said_in_one_line(text: str, message: str) -> None:
    assert problems(text) == [message]


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = """
    [proxy]
    port = "x"
    prot = 1
    api_key = "env:NOT_SET"
    [[providers]]
    name = "a/b"
    preset = "opnai"
    [timeouts]
    idle = -1
    """
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert [problem.path for problem in caught.value.problems] == [
        "proxy.port",
        "proxy.prot",
        "providers[0].preset",
        "timeouts.idle",
        "proxy.api_key",
        "providers[0].name",
    ]
    assert caught.value.problems[0] == Problem("proxy.port", 'the string "x"', "a port number")


def test_a_provider_whose_name_cannot_be_read_makes_no_other_unknown() -> None:
    assert problems('[[providers]]\nname = 5\npreset = "openai"\n[models]\nx = "q/m"') == [
        "providers[0].name: expected a name, found the number 5"
    ]
    assert problems('providers = [3]\n[models]\nx = "q/m"') == ["providers[0]: expected a table, found a number"]
    assert problems('providers = 3\n[models]\nx = "q/m"') == [
        "providers: expected tables, each headed [[providers]], found a number"
    ]


def test_a_long_value_is_not_repeated_in_full() -> None:
    (line,) = problems(f'[proxy]\nauth_mode = "{"x" * 5000}"')
    assert len(line) < 250


# Start-up


@pytest.mark.parametrize(
    ("mode", "lan", "effective"),
    [
        ("auto", False, "off"),
        ("auto", True, "all_except_health"),
        ("off", True, "off"),
        ("strict", False, "strict"),
        ("all_except_health", False, "all_except_health"),
    ],
)
def test_auto_depends_on_whether_the_lan_may_connect(mode: str, lan: bool, effective: str) -> None:
    assert effective_auth_mode(Proxy(auth_mode=mode, allow_lan_access=lan)) == effective


REMEDY = "set proxy.api_key or the environment variable AGCORE_API_KEY"


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        (
            'auth_mode = "strict"',
            f'proxy.auth_mode: "strict" needs a client key, and none is configured; {REMEDY}',
        ),
        (
            "allow_lan_access = true",
            'proxy.auth_mode: "all_except_health" (because allow_lan_access = true) needs a client key, '
            f"and none is configured; {REMEDY}",
        ),
        (
            'host = "0.0.0.0"',
            'proxy.host: "0.0.0.0" can be reached from other machines, and no client key is configured; '
            f'{REMEDY}, or listen on "127.0.0.1"',
        ),
        (
            'host = "my-laptop"',
            'proxy.host: "my-laptop" can be reached from other machines, and no client key is configured; '
            f'{REMEDY}, or listen on "127.0.0.1"',
        ),
    ],
)
def test_what_would_be_open_by_accident_does_not_start_without_a_key(proxy: str, reason: str) -> None:
    assert startup_problems(read(f"[proxy]\n{proxy}").config) == (reason,)
    assert startup_problems(read(f'[proxy]\n{proxy}\napi_key = "k"').config) == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1"])
def test_a_loopback_address_needs_no_key(host: str) -> None:
    config = with_bind(Config(), host=host, port=None)
    assert (startup_problems(config), startup_warnings(config)) == ((), ())


def test_an_explicit_off_is_obeyed_with_a_warning() -> None:
    config = read('[proxy]\nauth_mode = "off"\nhost = "::"\napi_key = "k"').config
    assert startup_problems(config) == ()
    assert startup_warnings(config) == (
        'proxy.auth_mode: "off" while listening on "::": everyone who can reach this machine can use your providers\' keys',
        'proxy.auth_mode: "off", so that the configured client keys are not asked for',
    )
    assert startup_warnings(read('[proxy]\nauth_mode = "off"').config) == ()


def test_the_command_line_overrides_the_address() -> None:
    config = read('[proxy]\nhost = "::1"\nport = 1').config
    assert with_bind(config, host=None, port=None) == config
    bound = with_bind(config, host="0.0.0.0", port=0).proxy
    assert (bound.host, bound.port) == ("0.0.0.0", 0)


def test_the_demo_provider_speaks_every_dialect_at_one_address() -> None:
    config = with_demo(read("[proxy]\nport = 1").config, "http://127.0.0.1:4000")
    (demo,) = config.providers
    assert (demo.name, demo.signer, demo.models, demo.keys) == ("demo", "demo", ("*",), ())
    assert demo.dialect_names == DIALECT_NAMES
    for dialect, each in demo.endpoints.items():
        prefix = b"/v1" if dialect.startswith("openai") else b""
        assert each == Endpoint(dialect, Origin("http", "127.0.0.1", 4000), prefix, "none")
    assert config.proxy.port == 1


# Whatever is written

SECRET = "sk-never-to-be-shown-0123456789"


def toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case date():
            return value.isoformat()
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{toml(str(key))} = {toml(member)}' for key, member in value.items())}}}"
    return str(value)


def patterns(schema: Schema, pattern: str = "") -> set[str]:
    match schema:
        case OneOr(several=several):
            return patterns(several, pattern)
        case Table(keys=keys):
            inner = [patterns(member, f"{pattern}.{key}".lstrip(".")) for key, member in keys.items()]
        case ListOf(item=item):
            inner = [patterns(item, f"{pattern}[]")]
        case MapOf(item=item):
            inner = [patterns(item, f"{pattern}.*")]
        case _:
            inner = []
    return {pattern}.union(*inner)


def test_every_key_that_is_not_yet_in_effect_exists() -> None:
    assert patterns(SCHEMA) >= NOT_YET_IN_EFFECT


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
WORDS = st.sampled_from(
    ["a", "b", "openai", "anthropic", "gemini", "a/m", "b/m", "http://h/v1", "https://u:p@h", "::1", ""]
)


def documents(schema: Schema) -> st.SearchStrategy[Any]:
    """Values of about the right shape, with junk here and there."""
    fitting: st.SearchStrategy[Any]
    match schema:
        case Table(keys=keys):
            fitting = st.fixed_dictionaries({}, optional={key: documents(member) for key, member in keys.items()})
        case ListOf(item=item):
            fitting = st.lists(documents(item), max_size=3)
            if isinstance(item, Text) and item.secret:
                fitting |= st.just(SECRET)
        case MapOf(item=item, tables=tables):
            fitting = st.dictionaries(WORDS, documents(item), max_size=3)
            if tables:
                inner = st.dictionaries(st.sampled_from(tables), fitting, max_size=2)
                fitting = st.builds(lambda general, by_table: general | by_table, fitting, inner)
        case OneOr(one=one, several=several):
            return documents(one) | documents(several)
        case Text(secret=True):
            fitting = st.sampled_from([SECRET, SECRET + "é", "env:SET", "env:UNSET", "file:SET"])
        case Text(choices=choices):
            fitting = st.sampled_from(choices) if choices else WORDS
        case UrlText():
            fitting = st.sampled_from(["http://h/v1", f"https://u:{SECRET}@h", f"http://h?k={SECRET}", "h"])
        case Number():
            fitting = st.sampled_from([0, 1, 8045, 0.5, -1, 10**400, 1e308])
        case Flag():
            fitting = st.booleans()
        case Moment():
            fitting = st.dates() | st.datetimes() | WORDS
    return st.one_of(*[fitting] * 15, JUNK)


@given(documents(SCHEMA))
def test_any_document_is_parsed_or_refused_and_shows_no_secret(document: Any) -> None:
    members = document.items() if isinstance(document, dict) else ()
    text = "\n".join(f"{toml(str(key))} = {toml(value)}" for key, value in members)
    refs = secret_refs(text)
    tables = members and isinstance(document.get("proxy"), dict) and document["proxy"].get("tables")
    assert set(refs) <= {"env:SET", "env:UNSET", "file:SET", f"file:{tables}"}
    try:
        parsed = parse(text, secrets={"env:SET": SECRET + "-1", "file:SET": SECRET + "-2\n"}, environ={})
    except ConfigError as error:
        shown = str(error)
    else:
        shown = describe_config(parsed) + repr(parsed.config.proxy.keys)
        Catalog(parsed.config)
    assert shown
    assert SECRET not in shown


def optional(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


PROVIDER = st.sampled_from(sorted(PRESETS)).flatmap(
    lambda preset: st.builds(
        lambda written, name: {"name": name, "preset": preset, **written},
        optional(
            dialect=st.lists(st.sampled_from(sorted(PRESETS[preset].base_urls)), min_size=1),
            base_url=st.dictionaries(
                st.sampled_from(sorted(PRESETS[preset].base_urls)), st.just(f"https://h/{SECRET[:3]}"), max_size=1
            ),
            auth=st.sampled_from(AUTH_NAMES),
            keys=st.lists(st.sampled_from(["env:SET", "env:UNSET", "file:SET", SECRET])),
            headers=st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.just(SECRET)),
            models=st.lists(st.sampled_from(["m", "m-*", "*"])),
            proxy_url=st.just(f"http://u:{SECRET}@proxy:3128"),
        ),
        st.sampled_from("abc"),
    )
)


@given(
    st.lists(PROVIDER, min_size=1, max_size=3, unique_by=lambda written: written["name"]),
    optional(host=st.sampled_from(["::", "localhost"]), api_key=st.just(SECRET), allow_lan_access=st.booleans()),
    st.lists(st.sampled_from(["m", "m-*", "*"]), unique=True),
)
def test_settings_that_fit_together_make_providers_and_a_report_without_secrets(
    providers: list[dict[str, Any]], proxy: dict[str, Any], rules: list[str]
) -> None:
    for written in providers:
        if "dialect" in written:
            written["base_url"] = {
                key: url for key, url in written.get("base_url", {}).items() if key in written["dialect"]
            }
    document = {"proxy": proxy, "providers": providers, "models": dict.fromkeys(rules, f"{providers[0]['name']}/m")}
    text = "\n".join(f"{key} = {toml(value)}" for key, value in document.items())
    parsed = parse(text, secrets={"env:SET": SECRET + "-1", "file:SET": SECRET + "-2\n"}, environ={})
    for made, written in zip(parsed.config.providers, providers, strict=True):
        expected = dict.fromkeys(written.get("dialect", PRESETS[written["preset"]].base_urls))
        assert list(made.dialect_names) == list(expected)
        assert all(dialect == each.dialect for dialect, each in made.endpoints.items())
        assert len(made.keys) == len({key for key in written.get("keys", ()) if key != "env:UNSET"})
    Catalog(parsed.config)
    assert SECRET not in describe_config(parsed) + repr(parsed.config.proxy) + "".join(parsed.warnings)


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    secret_refs(text)
    with suppress(ConfigError):
        assert isinstance(parse(text, secrets={}, environ={}), Parsed)


def test_an_admin_key_is_one_of_its_own() -> None:
    proxy = read('[proxy]\napi_key = "client"\nadmin_key = "boss"\n').config.proxy
    assert proxy.admin_key is not None
    assert proxy.admin_key.reveal() == "boss"
    assert read('[proxy]\nadmin_key = ""\n').config.proxy.admin_key is None
    keys = '[[proxy.keys]]\nname = "a"\nkey = "ka"\nadmin = true\n'
    assert [key.admin for key in read(keys).config.proxy.keys] == [True]
    with pytest.raises(ConfigError) as caught:
        read('[proxy]\napi_key = "same"\nadmin_key = "same"\n')
    assert str(caught.value) == (
        'proxy.admin_key: the same key as the client key "default"; '
        "for one key that does both, write admin = true at that key"
    )
