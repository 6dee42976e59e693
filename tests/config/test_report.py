import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.config.parser import Parsed, from_environment, parse
from agcore.config.report import describe_config, summarize_config
from agcore.config.values import Config

SECRETS = {
    "env:MAIN": "main-secret-0123456789abcdef",
    "env:ALICE": "alice-secret-0123456789abcdef",
    "env:ONE": "sk-one-secret-0123456789-3f9c",
    "env:TWO": "short",
    "env:MCP": "mcp-secret-0123456789abcdef",
    "env:TEAM": "team-secret-0123456789abcdef",
}

TEXT = """
[proxy]
host = "::"
port = 443
allow_lan_access = true
api_key = "env:MAIN"
[[proxy.keys]]
name = "alice"
key = "env:ALICE"
models = ["claude-*", "gpt-5"]
expires = 2027-01-31
rpm = 60
concurrency = 2

[[providers]]
name = "main"
preset = "anthropic"
base_url = "http://claude.internal:9000"
keys = ["env:ONE", "env:TWO", "env:UNSET"]
proxy_url = "http://user:password@squid:3128"
headers = { X-Team = "env:TEAM" }
[[providers]]
name = "home"
dialect = ["openai", "anthropic"]
base_url = "http://[::1]:1234/v1"
models = []
weight = 2.5

[models]
"claude-*" = ["main/*", "home/qwen"]
"gpt-5" = "home/qwen"
"gpt-*" = [["main/claude-haiku-4-5", "home/qwen"], "home/small"]
[models.anthropic]
"gpt-5" = "main/claude-sonnet-4-5"

[mcp.search]
url = "https://mcp.example/mcp?token=url-secret"
key = "env:MCP"
[mcp.open]
url = "https://open.example:8443/mcp"
auth = "client"
[mcp.eyes]
builtin = "vision"
model = "home/qwen-vl"
file_roots = ["/srv/shots", "/tmp/shots"]

[pool]
state_file = "state.json"

[record]
dir = "/traces"
"""

REPORT = """\
Listens on
  http://[::]:443  (other machines can connect)

Authentication
  all_except_health (auto): every request needs a key, except health checks

Admin API
  /admin is open to this machine, without a key

Client keys
  default  main...cdef
  alice    alic...cdef  models claude-*, gpt-5; expires 2027-01-31 00:00:00+00:00; 60 requests a minute; 2 at a time

Providers
  main  (preset anthropic)
    anthropic  http://claude.internal:9000  (x-api-key)
    keys       main#1 sk-o...3f9c, main#2 ...
    models     claude-*
    headers    x-team
    through    http://squid:3128
  home
    openai     http://[::1]:1234/v1  (no key)
    anthropic  http://[::1]:1234  (no key)
    keys       none
    models     none, but by "provider/model"

Models
  claude-*  -> main/*, then home/qwen
  gpt-5     -> home/qwen
  gpt-*     -> main/claude-haiku-4-5 (weight 1) or home/qwen (weight 2.5), then home/small
  gpt-5     -> main/claude-sonnet-4-5                                                       (anthropic clients)

MCP servers
  /mcp/search/mcp  https://mcp.example/mcp        key mcp-...cdef, auth key
  /mcp/open/mcp    https://open.example:8443/mcp  no key, auth client; OAuth needs proxy.public_url
  /mcp/eyes/mcp    built-in vision                with home/qwen-vl; files below /srv/shots, /tmp/shots

State of keys
  kept in state.json

Warnings
  providers[0].keys[2]: the environment variable "UNSET" is not set; left out

Not yet in effect
  record.dir
"""


def test_the_report_says_what_a_configuration_means() -> None:
    assert describe_config(parse(TEXT, secrets=SECRETS, environ={})) == REPORT


def test_the_report_of_nothing_names_what_answers_anyway() -> None:
    assert describe_config(from_environment({})) == (
        "Listens on\n  http://127.0.0.1:8045  (this machine only)\n\n"
        "Authentication\n"
        "  off (auto): requests from this machine need no key; any from elsewhere do, except health checks\n\n"
        "Admin API\n  /admin is open to this machine, without a key\n\n"
        "Client keys\n  none\n\n"
        "Providers\n  none: the demo provider answers\n\n"
        "Models\n  no rules: a name goes to the providers that serve it, in their order\n\n"
        "MCP servers\n  none\n"
    )


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("all_except_health", "no key, auth client; OAuth at https://gw.example\n"),
        ("strict", "no key, auth client; OAuth needs another auth_mode than strict\n"),
    ],
)
def test_the_report_says_whether_clients_of_an_mcp_server_can_log_in(mode: str, shown: str) -> None:
    proxy = f'[proxy]\napi_key = "k"\npublic_url = "https://gw.example"\nauth_mode = "{mode}"\n'
    assert shown in describe_config(
        parse(proxy + '[mcp.x]\nurl = "https://h/mcp"\nauth = "client"', secrets={}, environ={})
    )


def test_the_report_points_out_a_provider_that_takes_the_names_of_those_below() -> None:
    provider = '[[providers]]\nname = "{}"\ndialect = "openai"\nbase_url = "http://h/v1"\nauth = "none"\n'
    special = provider.format("special") + 'models = ["x-*"]\n'
    above = describe_config(parse(provider.format("general") + special, secrets={}, environ={}))
    below = describe_config(parse(special + provider.format("general"), secrets={}, environ={}))
    assert "models  *  (is asked before the providers below, for every name)\n" in above
    assert "models  *\n" in below


def test_a_vision_server_reads_no_files_unless_told_where() -> None:
    vision = '[[providers]]\npreset = "gemini"\nkeys = ["k"]\n[mcp.eyes]\nbuiltin = "vision"\nmodel = "gemini/x"\n'
    assert "with gemini/x; no files\n" in describe_config(parse(vision, secrets={}, environ={}))


def test_the_report_says_why_a_server_would_not_start() -> None:
    text = describe_config(parse('[proxy]\nauth_mode = "strict"', secrets={}, environ={}))
    assert "strict: every request needs a key, health checks too\n" in text
    assert 'Refuses to start\n  proxy.auth_mode: "strict" needs a client key' in text


def test_the_report_warns_of_an_explicit_off() -> None:
    text = describe_config(parse('[proxy]\nauth_mode = "off"\nhost = "0.0.0.0"', secrets={}, environ={}))
    assert "off: no request needs a key\n" in text
    assert 'Warnings\n  proxy.auth_mode: "off" while listening on "0.0.0.0"' in text


SECRET = st.text(st.sampled_from("!~QXZ#%@"), min_size=9, max_size=40)


@given(st.lists(SECRET, min_size=6, max_size=6, unique=True))
def test_no_secret_is_shown(values: list[str]) -> None:
    parsed: Parsed = parse(TEXT, secrets=dict(zip(SECRETS, values, strict=True)), environ={})
    text = describe_config(parsed)
    assert not any(value in text for value in values)
    assert not any(secret in text for secret in ("password", "url-secret"))


def test_the_report_says_who_opens_the_admin_api() -> None:
    def shown(text: str) -> str:
        report = describe_config(parse(text, secrets={}, environ={}))
        return report.partition("Admin API\n  ")[2].partition("\n")[0]

    boss = '[[proxy.keys]]\nname = "boss"\nkey = "k"\nadmin = true\n'
    assert shown("[proxy]\nadmin_key = 'x'\n") == "/admin needs proxy.admin_key (...)"
    assert shown(f"[proxy]\nadmin_key = 'x'\n{boss}") == "/admin needs proxy.admin_key (...), or the key boss"
    assert shown(boss) == "/admin is open to this machine, without a key, and to the key boss"


def test_a_configuration_in_one_line() -> None:
    text = """
    [[proxy.keys]]
    name = "alice"
    key = "sk-client-0123456789abcdef"

    [[providers]]
    name = "two"
    dialect = "openai"
    base_url = "https://h/v1"
    keys = ["sk-a-0123456789abcdef", "sk-b-0123456789abcdef"]
    models = ["a-*", "b-*", "c-*", "d-*"]

    [[providers]]
    name = "one"
    dialect = "anthropic"
    base_url = "http://127.0.0.1:1"
    models = ["e"]
    """
    config = parse(text, secrets={}, environ={}).config
    said = "two (2 keys, a-*, b-*, c-*, ...); one (e). Requests from this machine need no key"
    assert summarize_config(config).startswith(said)
    strict = msgspec.structs.replace(config, proxy=msgspec.structs.replace(config.proxy, auth_mode="strict"))
    assert summarize_config(strict).endswith(". Every request needs a key, health checks too")
    assert summarize_config(Config()).startswith("no provider. ")
