from __future__ import annotations

import pytest

from agcore.config.outbound_proxy import exempts
from agcore.config.parser import ConfigError, Parsed, from_environment, parse, with_file_names
from agcore.config.report import describe_config
from agcore.protocol.http import Origin, ProxyServer

SECRET = "s3cret"
EXPECTED = "expected an http://, https://, socks5:// or socks5h:// URL"


def read(text: str, **environ: str) -> Parsed:
    return parse(text, secrets={}, environ=environ)


def proxies(parsed: Parsed) -> dict[str, ProxyServer | None]:
    """The proxy of each provider's first endpoint."""
    return {each.name: next(iter(each.endpoints.values())).origin.proxy for each in parsed.config.providers}


def through(text: str = "", url: str = "https://api.example/v1", **environ: str) -> ProxyServer | None:
    """The proxy of one provider at `url`, with further lines."""
    provider = f'[[providers]]\nname = "p"\ndialect = "openai"\nkeys = ["k"]\nbase_url = "{url}"\n'
    return proxies(read(provider + text, **environ))["p"]


def problems(text: str = "", **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        through(text, **environ)
    return [str(problem) for problem in raised.value.problems]


def test_without_a_proxy_connections_are_direct() -> None:
    assert through() is None


def test_the_provider_goes_before_the_file_and_the_file_before_the_environment() -> None:
    own, general = 'proxy_url = "http://own:1"\n', '[proxy]\nproxy_url = "http://general:2"\n'
    assert through(own + general, https_proxy="http://environment:3") == ProxyServer("own", 1)
    assert through(general, https_proxy="http://environment:3") == ProxyServer("general", 2)
    assert through(https_proxy="http://environment:3") == ProxyServer("environment", 3)


@pytest.mark.parametrize(
    ("url", "variable", "used"),
    [
        ("https://h/v1", "https_proxy", True),
        ("https://h/v1", "HTTPS_PROXY", True),
        ("https://h/v1", "http_proxy", False),
        ("https://h/v1", "HTTP_PROXY", False),
        ("http://h/v1", "http_proxy", True),
        ("http://h/v1", "HTTP_PROXY", False),
        ("http://h/v1", "https_proxy", False),
        ("http://h/v1", "HTTPS_PROXY", False),
    ],
)
def test_each_scheme_has_its_variables(url: str, variable: str, used: bool) -> None:
    assert through(url=url, **{variable: "http://squid:3128"}) == (ProxyServer("squid", 3128) if used else None)


def test_the_lower_case_variable_goes_before_the_upper_case_one() -> None:
    assert through(https_proxy="http://a:1", HTTPS_PROXY="http://b:2") == ProxyServer("a", 1)
    assert through(https_proxy=" ", HTTPS_PROXY="http://b:2") == ProxyServer("b", 2)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://u:p@squid", ProxyServer("squid", 443, "Basic dTpw", "https")),
        ("socks5://squid", ProxyServer("squid", 1080, scheme="socks5")),
        ("socks5h://u:p@squid:9", ProxyServer("squid", 9, "Basic dTpw", "socks5")),
        ("socks://squid:9/", ProxyServer("squid", 9, scheme="socks5")),
    ],
)
def test_proxies_may_speak_tls_or_socks(url: str, server: ProxyServer) -> None:
    assert through(https_proxy=url) == server
    assert through(f'proxy_url = "{url}"') == server
    assert through(f'[proxy]\nproxy_url = "{url}"') == server


def test_all_proxy_is_for_what_no_other_variable_is_for() -> None:
    for name in ("all_proxy", "ALL_PROXY"):
        assert through(**{name: "socks5h://tor:9050"}) == ProxyServer("tor", 9050, scheme="socks5")
        assert through(url="http://api.example/v1", **{name: "squid:3128"}) == ProxyServer("squid", 3128)
        assert through(**{"https_proxy": "http://own:1", name: "http://all:2"}) == ProxyServer("own", 1)
        assert through(**{name: "http://all:2", "NO_PROXY": "api.example:443"}) is None
        (problem,) = problems(**{name: "socks4://tor:9050"})
        assert problem == f"{name} (environment): {EXPECTED}, found a URL with another scheme"


def test_a_general_ca_file_is_for_every_origin_that_has_none_of_its_own() -> None:
    entry = '[[providers]]\nname = "{}"\ndialect = "openai"\nbase_url = "{}://{}.example/v1"\n'
    text = '[proxy]\nca_file = "corp.pem"\nproxy_url = "https://squid"\n[mcp.m]\nurl = "https://m.example/mcp"\n'
    text += entry.format("a", "https", "a") + entry.format("b", "https", "b") + 'ca_file = "own.pem"\n'
    config = read(text + entry.format("c", "http", "c")).config
    found = {each.name: each.preferred_endpoint.origin for each in config.providers}
    assert {name: (each.ca_file, each.more_cas) for name, each in found.items()} == {
        "a": ("", "corp.pem"),
        "b": ("own.pem", ""),
        "c": ("", ""),
    }
    proxy = found["c"].proxy
    assert proxy is not None
    assert proxy.more_cas == "corp.pem"
    (server,) = config.mcp
    assert server.endpoint is not None
    assert server.endpoint.origin.more_cas == "corp.pem"
    placed = with_file_names(config, lambda name: f"/etc/{name}")
    origin = placed.providers[0].preferred_endpoint.origin
    assert (placed.proxy.ca_file, origin.more_cas) == ("/etc/corp.pem", "/etc/corp.pem")
    assert origin.proxy is not None
    assert origin.proxy.more_cas == "/etc/corp.pem"
    assert placed.mcp[0].endpoint is not None
    assert placed.mcp[0].endpoint.origin.more_cas == "/etc/corp.pem"
    report = describe_config(read(text))
    assert "those of corp.pem, beside the usual ones" in report
    assert "only the CAs of own.pem" in report
    assert "https://squid" in report


def test_a_proxy_of_the_environment_may_be_written_without_a_scheme() -> None:
    assert through(HTTPS_PROXY="u:p@squid:3128") == ProxyServer("squid", 3128, "Basic dTpw")


def test_providers_of_the_environment_have_it_too() -> None:
    parsed = from_environment({"OPENAI_API_KEY": "k", "HTTPS_PROXY": "http://squid:3128"})
    assert proxies(parsed) == {"openai": ProxyServer("squid", 3128)}


def test_mcp_servers_have_it_too() -> None:
    (server,) = read('[mcp.x]\nurl = "https://h/mcp"', https_proxy="http://squid:3128").config.mcp
    assert server.endpoint is not None
    assert server.endpoint.origin == Origin("https", "h", 443, proxy=ProxyServer("squid", 3128))


@pytest.mark.parametrize(
    ("login", "authorization"),
    [
        ("", ""),
        ("u:p@", "Basic dTpw"),
        ("u@", "Basic dTo="),
        ("u%40corp:p%3a%2F@", "Basic dUBjb3JwOnA6Lw=="),
        ("u:p%zz@", "Basic dTpwJXp6"),
        ("u:%C3%A4@", "Basic dTrDpA=="),
    ],
)
def test_a_login_becomes_basic_authorization(login: str, authorization: str) -> None:
    assert through(f'proxy_url = "http://{login}squid:3128"') == ProxyServer("squid", 3128, authorization)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_this_machine_is_never_reached_through_a_proxy(host: str) -> None:
    url = f"http://{host}:1234/v1"
    assert through(url=url, http_proxy="http://squid:3128") is None
    assert through('[proxy]\nproxy_url = "http://squid:3128"', url=url) is None
    assert through('proxy_url = "http://squid:3128"', url=url) is None


def test_a_proxy_that_is_given_for_this_machine_is_said_to_be_of_no_use() -> None:
    parsed = read(
        '[[providers]]\nname = "p"\ndialect = ["openai", "anthropic"]\nbase_url = "http://localhost:1"\n'
        'proxy_url = "http://squid:3128"'
    )
    assert parsed.warnings == ("providers[0].proxy_url: not used for localhost, which is this machine",)


def test_no_proxy_takes_hosts_out_of_the_general_proxies_but_not_of_a_providers_own() -> None:
    general = '[proxy]\nproxy_url = "http://general:2"\n'
    for name in ("NO_PROXY", "no_proxy"):
        assert through(**{"https_proxy": "http://squid:1", name: "other, api.example"}) is None
        assert through(general, **{name: "api.example"}) is None
        assert through('proxy_url = "http://own:1"', **{name: "*"}) == ProxyServer("own", 1)
    assert through(https_proxy="http://squid:1", no_proxy="other", NO_PROXY="api.example") == ProxyServer("squid", 1)


@pytest.mark.parametrize(
    ("entry", "host", "covered"),
    [
        ("*", "any.example", True),
        ("", "any.example", False),
        (".", "any.example", False),
        ("example", "example", True),
        ("Example", "example", True),
        ("example", "api.example", True),
        (".example", "api.example", True),
        (".example", "example", True),
        ("*.example", "api.example", True),
        ("example.", "api.example", True),
        ("example", "api.example.", True),
        ("example", "notexample", False),
        ("api.example", "example", False),
        ("example:443", "api.example", True),
        ("example:8443", "api.example", False),
        ("*:443", "any.example", True),
        ("*:80", "any.example", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1:443", "10.0.0.1", True),
        ("10.0.0.1:80", "10.0.0.1", False),
        ("0.0.1", "10.0.0.1", False),
        ("10.0.0.0/8", "10.9.8.7", True),
        ("10.1.2.3/8", "10.9.8.7", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "api.example", False),
        ("10.0.0.0/99", "10.0.0.1", False),
        ("fd00::1", "fd00:0::1", True),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]:443", "fd00::1", True),
        ("[fd00::1]:80", "fd00::1", False),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "10.0.0.1", False),
        (" example ", "example", True),
    ],
)
def test_entries_of_no_proxy_cover_what_they_name(entry: str, host: str, covered: bool) -> None:
    assert exempts(entry, Origin("https", host, 443)) is covered


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://squid/path", f"{EXPECTED}, found a URL with a path"),
        ("socks4://squid", f"{EXPECTED}, found a URL with another scheme"),
    ],
)
def test_urls_that_no_proxy_can_have_are_problems_and_are_said_once(url: str, problem: str) -> None:
    written = url.replace("://", f"://u:{SECRET}@")
    assert problems(f'proxy_url = "{written}"') == [f"providers[0].proxy_url: {problem}"]
    assert problems(f'[proxy]\nproxy_url = "{written}"') == [f"proxy.proxy_url: {problem}"]
    assert problems(HTTPS_PROXY=written) == [f"HTTPS_PROXY (environment): {problem}"]
    with pytest.raises(ConfigError) as raised:
        from_environment({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "https_proxy": written})
    assert str(raised.value) == f"https_proxy (environment): {problem}"


@pytest.mark.parametrize("url", ["socks4://u:s3cret@squid:1080", "http://u:s3cret@squid:x", "http://s3 cret"])
def test_a_proxy_of_the_environment_that_is_no_url_is_a_problem_without_its_secret(url: str) -> None:
    (problem,) = problems(https_proxy=url)
    assert problem.startswith(f"https_proxy (environment): {EXPECTED}, found ")
    assert SECRET not in problem


def test_a_proxy_of_the_environment_that_nobody_needs_is_not_looked_at() -> None:
    assert through(url="http://localhost:1/v1", http_proxy="nonsense://", https_proxy="nonsense://") is None


def test_the_report_shows_proxies_and_none_of_their_secrets() -> None:
    parsed = read(
        '[[providers]]\npreset = "openai"\nkeys = ["sk-0123456789abcdef"]\n'
        f'[[providers]]\npreset = "anthropic"\nkeys = ["sk-0123456789abcdef"]\nproxy_url = "http://u:{SECRET}@own:1"\n'
        f'[proxy]\nproxy_url = "http://user:{SECRET}@squid:3128"\n'
    )
    report = describe_config(parsed)
    shown = [line.split() for line in report.splitlines() if "through" in line]
    assert shown == [["through", "http://squid:3128"], ["through", "http://own:1"]]
    assert SECRET not in report
    assert "Not yet in effect" not in report
    assert SECRET not in repr([provider.endpoints for provider in parsed.config.providers])
