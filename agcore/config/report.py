"""A configuration explained: the text of `agcore check`, without colours and without any secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agcore.codecs.url import Url, is_loopback, parse_url
from agcore.config.parser import Parsed, effective_auth_mode, startup_problems, startup_warnings
from agcore.config.values import ClientKey, Config, Provider, Proxy, dialect_name

_MOST_SHOWN = 3
"""Patterns of a provider's models that one line has room for."""
_MEANING = {
    "off": "no request needs a key",
    "strict": "every request needs a key, health checks too",
    "all_except_health": "every request needs a key, except health checks",
}
_MEANING_AUTO = "requests from this machine need no key; any from elsewhere do, except health checks"


def describe_config(parsed: Parsed, *, now: float | None = None) -> str:
    """The explanation of a configuration, for people.

    Args:
        parsed: The configuration and the remarks about it.
        now: Seconds since the epoch, to say what has expired; None where nobody knows.

    Returns:
        Lines of text, each ended. Keys are masked, and logins and queries of URLs are left out.
    """
    config = parsed.config
    warnings = (*parsed.warnings, *startup_warnings(config, now=now))
    sections = (
        ("Listens on", [_address(config.proxy)]),
        ("Authentication", [_auth(config.proxy)]),
        ("Admin API", [_admin(config.proxy)]),
        ("Client keys", _aligned(map(_client_key, config.proxy.keys)) or ["none"]),
        ("Providers", list(_providers(config.providers)) or ["none: the demo provider answers"]),
        (
            "Models",
            _aligned(_models(config)) or ["no rules: a name goes to the providers that serve it, in their order"],
        ),
        ("Tables", [_tables(config)] if config.proxy.tables else []),
        ("MCP servers", _aligned(_mcp_servers(config)) or ["none"]),
        ("CAs", [f"those of {config.proxy.ca_file}, beside the usual ones"] if config.proxy.ca_file else []),
        ("Patience", [f"{config.retry.patience:g} s for a limited or overloaded key"] if config.retry.patience else []),
        ("State of keys", [f"kept in {config.pool.state_file}"] if config.pool.state_file else []),
        ("Warnings", list(warnings)),
        ("Refuses to start", list(startup_problems(config))),
        ("Not yet in effect", list(parsed.unused)),
    )
    return "\n".join(f"{title}\n" + "".join(f"  {line}\n" for line in lines) for title, lines in sections if lines)


def summarize_config(config: Config) -> str:
    """What is served and who may ask, as one line for the moment of starting; no secret, no name of a client key."""
    served = [
        f"{provider.name} ({', '.join([*_counted(len(provider.keys)), *_some(provider.models)])})"
        for provider in config.providers
    ]
    return f"{'; '.join(served) or 'no provider'}. {_needed(config.proxy)}"


def _counted(keys: int) -> list[str]:
    return [f"{keys} keys"] if keys > 1 else []


def _some(models: Sequence[str]) -> list[str]:
    return [*models[:_MOST_SHOWN], *(["..."] if len(models) > _MOST_SHOWN else [])]


def _needed(proxy: Proxy) -> str:
    mode = effective_auth_mode(proxy)
    meaning = _MEANING_AUTO if mode == "off" and proxy.auth_mode == "auto" else _MEANING[mode]
    return meaning[0].upper() + meaning[1:]


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of equal length as lines, with each column as wide as its widest cell."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _address(proxy: Proxy) -> str:
    url = Url("", "https" if proxy.tls_cert else "http", proxy.host, proxy.port, "").shown
    reach = "this machine only" if is_loopback(proxy.host) else "other machines can connect"
    return f"{url}  ({reach})"


def _auth(proxy: Proxy) -> str:
    mode = effective_auth_mode(proxy)
    if proxy.auth_mode != "auto":
        return f"{mode}: {_MEANING[mode]}"
    return f"{mode} (auto): {_MEANING_AUTO if mode == 'off' else _MEANING[mode]}"


def _admin(proxy: Proxy) -> str:
    named = [f"the key {key.name}" for key in proxy.keys if key.admin]
    if proxy.admin_key is not None:
        return f"/admin needs {', or '.join([f'proxy.admin_key ({proxy.admin_key.masked})', *named])}"
    return f"/admin is open to {', and to '.join(['this machine, without a key', *named])}"


def _client_key(key: ClientKey) -> tuple[str, str, str]:
    limits = [f"models {', '.join(key.models)}"] if key.models else []
    if key.expires is not None:
        limits.append(f"expires {_moment(key.expires)}")
    rates = ((key.rpm, "requests a minute"), (key.tpm, "tokens a minute"), (key.concurrency, "at a time"))
    limits.extend(["opens /admin"] if key.admin else [])
    limits.extend(f"{value} {unit}" for value, unit in rates if value is not None)
    return key.name, key.key.masked, "; ".join(limits)


def _moment(epoch: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch, UTC).isoformat(sep=" ", timespec="seconds")


def _providers(providers: Sequence[Provider]) -> Iterator[str]:
    for index, provider in enumerate(providers):
        yield provider.name + (f"  (preset {provider.preset})" if provider.preset else "")
        rows = []
        for dialect, endpoint in provider.endpoints.items():
            origin = endpoint.origin
            url = Url("", origin.scheme, origin.host, origin.port, endpoint.prefix.decode("ascii"))
            rows.append(
                (dialect_name(dialect), f"{url.shown}  ({'no key' if endpoint.auth == 'none' else endpoint.auth})")
            )
        keys = [f"{provider.name}#{number} {key.masked}" for number, key in enumerate(provider.keys, 1)]
        rows.append(("keys", ", ".join(keys) or "none"))
        hides = "*" in provider.models and any(later.models for later in providers[index + 1 :])
        models = ", ".join(provider.models) or 'none, but by "provider/model"'
        rows.append(("models", f"{models}  (is asked before the providers below, for every name)" if hides else models))
        if provider.headers:
            rows.append(("headers", ", ".join(name.decode("ascii") for name, _ in provider.headers)))
        own = {each.origin.ca_file: None for each in provider.endpoints.values() if each.origin.ca_file}
        if own:
            rows.append(("trusts", f"only the CAs of {', '.join(own)}"))
        if provider.first_byte:
            rows.append(("answers", f"begin within {provider.first_byte:g} s"))
        proxies = {each.origin.proxy: None for each in provider.endpoints.values() if each.origin.proxy is not None}
        if proxies:
            rows.append(
                ("through", ", ".join(Url("", each.scheme, each.host, each.port, "").shown for each in proxies))
            )
        yield from (f"  {line}" for line in _aligned(rows))


def _models(config: Config) -> Iterator[tuple[str, str, str]]:
    weights = {provider.name: f"{provider.weight:g}" for provider in config.providers}
    for rule in config.models:
        steps = (
            [f"{provider}/{model} (weight {weights[provider]})" for provider, model in step]
            if len(step) > 1
            else [f"{provider}/{model}" for provider, model in step]
            for step in rule.steps
        )
        clients = f"({dialect_name(rule.dialect)} clients)" if rule.dialect else ""
        yield rule.pattern, "-> " + ", then ".join(" or ".join(step) for step in steps), clients


def _tables(config: Config) -> str:
    tables = config.tables
    counts = ((tables.profiles, "vendor profiles"), (tables.models, "models"), (tables.prices, "prices"))
    return f"{config.proxy.tables}: {', '.join(f'{len(rows)} {what}' for rows, what in counts)}"


def _mcp_servers(config: Config) -> Iterator[tuple[str, str, str]]:
    if not config.proxy.public_url:
        oauth = "auth client; OAuth needs proxy.public_url"
    elif config.proxy.auth_mode == "strict":
        oauth = "auth client; OAuth needs another auth_mode than strict"
    else:
        oauth = f"auth client; OAuth at {config.proxy.public_url}"
    for server in config.mcp:
        path = f"/mcp/{server.name}/mcp"
        if server.builtin:
            files = f"files below {', '.join(server.file_roots)}" if server.file_roots else "no files"
            yield path, f"built-in {server.builtin}", f"with {server.model}; {files}"
        else:
            key = f"key {server.key.masked}" if server.key else "no key"
            auth = oauth if server.auth == "client" else f"auth {server.auth}"
            yield path, parse_url(server.url, query=True).shown, f"{key}, {auth}"
