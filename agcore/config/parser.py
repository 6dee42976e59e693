"""Configuration: from the text of a file, a dict of the same shape, or the environment, to a `Config`.

The core reads no files and no environment. A frontend asks `secret_refs` what a document refers to, looks that up, and
passes it to `parse` with the environment's variables. The schema checks each value by itself; this module, and
`providers` for `[[providers]]`, check what takes more than one of them and make the values of a `Config`. All problems
are found in one run and raised together.

A file without `[[providers]]` gets those that the environment has keys for, as no file at all does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from agcore.codecs.moment_text import day_and_time
from agcore.codecs.url import Url, is_host, is_loopback, parse_url
from agcore.config.client_keys import admin_key, client_keys
from agcore.config.document import read_document
from agcore.config.mistakes import in_the_clear, list_advice
from agcore.config.outbound_proxy import Outbound
from agcore.config.own_address import upstreams_here
from agcore.config.presets import PRESETS
from agcore.config.problems import ConfigError, Problem, at, nearest, quoted
from agcore.config.providers import build_providers, endpoint, environment_providers, is_name, on_server, through
from agcore.config.reading import Reading
from agcore.config.schema import SCHEMA, secrets_in
from agcore.config.secrets import GUESSABLE, Vault, reference
from agcore.config.tables import named_dialects, read_tables, tables_reference
from agcore.config.values import (
    ASKED_MODEL,
    DIALECT_NAMES,
    Config,
    Endpoint,
    Limits,
    McpServer,
    ModelRule,
    Pool,
    Provider,
    Proxy,
    Record,
    Retry,
    Secret,
    Timeouts,
)
from agcore.protocol.http import Origin

__all__ = [
    "ConfigError",
    "Parsed",
    "Problem",
    "effective_auth_mode",
    "from_environment",
    "parse",
    "secret_refs",
    "startup_problems",
    "startup_warnings",
    "with_bind",
    "with_demo",
    "with_file_names",
]


class Parsed(msgspec.Struct, frozen=True):
    """A configuration and the remarks about it."""

    config: Config
    warnings: tuple[str, ...] = ()
    """Sentences about what works less well than was meant, each starting with the key's path."""
    unused: tuple[str, ...] = ()
    """Paths of the keys in the file that are not yet in effect."""


def secret_refs(source: str | Mapping[str, Any]) -> tuple[str, ...]:
    """The references that stand in secrets' places of a configuration.

    Args:
        source: The TOML text of a file, or a dict of the same shape.

    Returns:
        Every `"env:NAME"` and `"file:PATH"`, as written, in order and without repeats, and `"file:PATH"` of
        `[proxy] tables`, which is no secret and looked up in the same way; none for invalid TOML.
    """
    try:
        document = read_document(source)
    except ConfigError:
        return ()
    found = [secret for secret in secrets_in(SCHEMA, document) if reference(secret)[1]]
    return tuple(dict.fromkeys(filter(None, (*found, tables_reference(document)))))


def parse(source: str | Mapping[str, Any], *, secrets: Mapping[str, str], environ: Mapping[str, str]) -> Parsed:
    """A configuration and the warnings about it.

    Args:
        source: The TOML text of a file, or a dict of the same shape; either may be empty.
        secrets: Reference as written -> value, for those of `secret_refs(source)` that could be looked up.
        environ: The environment's variables: `AGCORE_API_KEY`, and the providers' own where `source` names none.

    Raises:
        ConfigError: With every problem there is.
    """
    reading, document = Reading(), read_document(source)
    config = _config(reading.read(SCHEMA, document), reading, Vault(reading, secrets, environ), environ)
    config = replace(config, tables=read_tables(config.proxy.tables, secrets.get(tables_reference(document)), reading))
    if reading.problems:
        raise ConfigError(reading.problems)
    return Parsed(config, tuple(reading.warnings), tuple(reading.unused))


def from_environment(environ: Mapping[str, str]) -> Parsed:
    """The configuration without a file: the defaults, with a provider for each vendor that `environ` has a key for.

    Raises:
        ConfigError: `AGCORE_API_KEY` is no possible header value.
    """
    return parse("", secrets={}, environ=environ)


def with_demo(config: Config, base_url: str) -> Config:
    """`config` with the demo provider at `base_url`, such as `http://127.0.0.1:40000`, as its only provider."""
    url = parse_url(base_url)
    endpoints = {name: endpoint(name, on_server(url, name), auth="none") for name in DIALECT_NAMES}
    return replace(config, providers=(Provider("demo", endpoints, signer="demo"),))


def with_bind(config: Config, *, host: str | None, port: int | None) -> Config:
    """`config` with another address to listen on; a part that is None stays."""
    proxy = config.proxy
    bound = replace(proxy, host=proxy.host if host is None else host, port=proxy.port if port is None else port)
    return replace(config, proxy=bound)


def with_file_names(config: Config, place: Callable[[str], str]) -> Config:
    """`config` with `place(name)` for the name of every file that a frontend opens (certificates, the state)."""

    def placed(name: str) -> str:
        return place(name) if name else ""

    def trusting(endpoint: Endpoint) -> Endpoint:
        origin, proxy = endpoint.origin, endpoint.origin.proxy
        through = proxy and replace(proxy, more_cas=placed(proxy.more_cas))
        cas = {"ca_file": placed(origin.ca_file), "more_cas": placed(origin.more_cas)}
        return replace(endpoint, origin=replace(origin, proxy=through, **cas))

    proxy, pool = config.proxy, config.pool
    return replace(
        config,
        proxy=replace(
            proxy,
            ca_file=placed(proxy.ca_file),
            tls_cert=placed(proxy.tls_cert),
            tls_key=placed(proxy.tls_key),
            tables=placed(proxy.tables),
        ),
        mcp=tuple(
            server if server.endpoint is None else replace(server, endpoint=trusting(server.endpoint))
            for server in config.mcp
        ),
        pool=replace(pool, state_file=placed(pool.state_file)),
        providers=tuple(
            replace(provider, endpoints={name: trusting(each) for name, each in provider.endpoints.items()})
            for provider in config.providers
        ),
    )


def effective_auth_mode(proxy: Proxy) -> str:
    """The auth mode with `auto` resolved: `off`, `strict` or `all_except_health`.

    `auto` without `allow_lan_access` is `off` for this machine only: requests from elsewhere are treated as under
    `all_except_health`.
    """
    if proxy.auth_mode != "auto":
        return proxy.auth_mode
    return "all_except_health" if proxy.allow_lan_access else "off"


def startup_problems(config: Config) -> tuple[str, ...]:
    """The reasons, a sentence each, for which a server with this configuration must not start; none if it may."""
    proxy = config.proxy
    if proxy.keys:
        return ()
    remedy = "set proxy.api_key or the environment variable AGCORE_API_KEY"
    if effective_auth_mode(proxy) != "off":
        cause = " (because allow_lan_access = true)" if proxy.auth_mode == "auto" else ""
        mode = quoted(effective_auth_mode(proxy))
        return (f"proxy.auth_mode: {mode}{cause} needs a client key, and none is configured; {remedy}",)
    if proxy.auth_mode == "auto" and not is_loopback(proxy.host):
        reach = f"{quoted(proxy.host)} can be reached from other machines, and no client key is configured"
        return (f'proxy.host: {reach}; {remedy}, or listen on "127.0.0.1"',)
    return ()


def startup_warnings(config: Config, *, now: float | None = None) -> tuple[str, ...]:
    """What a server with this configuration does although nobody may have meant it, a sentence each.

    Args:
        config: The configuration.
        now: Seconds since the epoch; None where nobody knows, and no key is said to have expired.
    """
    proxy = config.proxy
    warnings = [
        f"proxy.keys: the key {quoted(key.name)} expired on {day_and_time(key.expires)}"
        for key in proxy.keys
        if now is not None and key.expires is not None and key.expires <= now
    ]
    guards = effective_auth_mode(proxy) != "off" or (proxy.auth_mode == "auto" and not is_loopback(proxy.host))
    weak = [key.name for key in proxy.keys if len(key.key.reveal()) < GUESSABLE] if guards else []
    if weak:
        names = ", ".join(map(quoted, weak))
        warnings.append(
            f"proxy.keys: {names} can be guessed, with fewer than {GUESSABLE} characters; "
            "`agcore init --config FILE` writes a file with a good one"
        )
    if proxy.admin_key is not None and len(proxy.admin_key.reveal()) < GUESSABLE:
        warnings.append(f"proxy.admin_key: can be guessed, with fewer than {GUESSABLE} characters")
    if proxy.auth_mode == "off" and not is_loopback(proxy.host):
        warnings.append(
            f'proxy.auth_mode: "off" while listening on {quoted(proxy.host)}: everyone who can reach this machine '
            "can use your providers' keys"
        )
    if proxy.auth_mode == "off" and proxy.keys:
        warnings.append('proxy.auth_mode: "off", so that the configured client keys are not asked for')
    return (*warnings, *upstreams_here(config))


def _config(values: Mapping[str, Any], reading: Reading, vault: Vault, environ: Mapping[str, str]) -> Config:
    def section(name: str) -> Mapping[str, Any]:
        return values.get(name) or {}

    proxy = _proxy(section("proxy"), reading, vault, environ)
    outbound = Outbound(
        environ, reading, url=section("proxy").get("proxy_url"), ca_file=section("proxy").get("ca_file") or ""
    )
    entries = values.get("providers", [])
    if entries or entries is None:
        providers = build_providers(entries or (), reading, vault, outbound)
        named = {entry.get("name", entry.get("preset")) if entry else None for entry in entries or (None,)}
    else:
        providers = environment_providers(environ, reading, vault, outbound)
        named = {provider.name for provider in providers}
    providers = tuple(_patient(provider, section("timeouts")) for provider in providers)
    targets = _Targets(named, reading)
    return Config(
        proxy=proxy,
        timeouts=Timeouts(**section("timeouts")),
        limits=Limits(**section("limits")),
        retry=Retry(**section("retry")),
        pool=Pool(**section("pool")),
        providers=providers,
        models=_models(section("models"), reading, targets),
        capabilities=named_dialects(section("capabilities")),
        mcp=_mcp(section("mcp"), reading, vault, targets, outbound),
        record=Record(**section("record")),
    )


def _patient(provider: Provider, written: Mapping[str, Any]) -> Provider:
    """The provider with the time that its preset gives it, unless it has one of its own; what is `written` counts."""
    preset = PRESETS.get(provider.preset)
    if preset is None or not preset.first_byte or provider.first_byte or "first_byte" in written:
        return provider
    return replace(provider, first_byte=min(preset.first_byte, written.get("request") or preset.first_byte))


def _proxy(values: Mapping[str, Any], reading: Reading, vault: Vault, environ: Mapping[str, str]) -> Proxy:
    host = values.get("host") or ("0.0.0.0" if values.get("allow_lan_access") else "127.0.0.1")
    if not is_host(host):
        reading.problem("proxy.host", quoted(host), allowed="a host name or IP address, without brackets or port")
    for index, name in enumerate(values.get("allowed_hosts") or ()):
        if name is not None and not is_host(name):
            allowed = "a host name, without scheme, port or wildcard"
            reading.problem(at("proxy.allowed_hosts", index), quoted(name), allowed=allowed)
    for index, origin in enumerate(values.get("cors_origins") or ()):
        if origin is not None and not _is_web_origin(origin):
            allowed = 'an origin such as "http://localhost:3000", "null" or "scheme://*"'
            reading.problem(at("proxy.cors_origins", index), quoted(origin), allowed=allowed)
    cert, key = values.get("tls_cert", ""), values.get("tls_key", "")
    if (cert == "" and key) or (key == "" and cert):
        there, missing = ("tls_cert", "tls_key") if cert else ("tls_key", "tls_cert")
        reading.problem(f"proxy.{there}", f"set without {missing}", hint="serving HTTPS takes both")
    public_url, proxy_url = values.get("public_url"), values.get("proxy_url")
    plain = ("port", "auth_mode", "allow_lan_access", "on_loss", "tables", "ca_file", "tls_cert", "tls_key")
    keys = client_keys(values, reading, vault, environ)
    return Proxy(
        host=host,
        keys=keys,
        admin_key=admin_key(values.get("admin_key"), keys, reading, vault),
        allowed_hosts=tuple(values.get("allowed_hosts") or ()),
        cors_origins=tuple(values.get("cors_origins") or ()),
        public_url=public_url.text.rstrip("/") if public_url else "",
        proxy_url=proxy_url.text if proxy_url else "",
        **{key: values[key] for key in plain if key in values},
    )


def _is_web_origin(text: str) -> bool:
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text == "null"
    plain = scheme.replace("-", "a").replace("+", "a").replace(".", "a")
    named = text.isascii() and text.isprintable() and plain.isalnum() and scheme == scheme.lower()
    return named and bool(rest) and not any(char in rest for char in " /?#@") and ("*" not in rest or rest == "*")


class _Targets:
    """Reads targets, which are written as `"provider/model"`."""

    def __init__(self, named: set[str | None], reading: Reading) -> None:
        self._names = sorted(name for name in named if name)
        self._complete = None not in named
        """Whether every provider's name could be read: nothing is said to be unknown otherwise."""
        self._reading = reading

    def split(self, target: str, path: str, *, asked: bool = False) -> tuple[str, str]:
        """The names of a target's provider and model, once their problems are reported.

        The model may be `ASKED_MODEL` where there is an `asked` one.
        """
        provider, _, model = target.partition("/")
        if "," in target:
            self._reading.problem(path, quoted(target), allowed='"provider/model"', hint=list_advice(target))
        elif not provider or not model:
            self._reading.problem(path, quoted(target), allowed='"provider/model"')
        elif "*" in model and not (asked and model == ASKED_MODEL):
            allowed = '"provider/model", or "provider/*" for the name asked for' if asked else '"provider/model"'
            self._reading.problem(path, quoted(target), allowed=allowed)
        elif self._complete and provider not in self._names:
            hint = nearest(provider, self._names) or f"providers: {', '.join(self._names) or 'none'}"
            self._reading.problem(path, f"no provider is named {quoted(provider)}", hint=hint)
        return provider, model


def _models(
    values: Mapping[str, Any], reading: Reading, targets: _Targets, *, dialect: str = ""
) -> tuple[ModelRule, ...]:
    section = at("models", dialect) if dialect else "models"
    rules: list[ModelRule] = []
    for pattern, written in values.items():
        path = at(section, pattern)
        if isinstance(written, dict):
            rules.extend(_models(written, reading, targets, dialect=pattern))
            continue
        if not pattern:
            reading.problem(path, "an empty name", allowed="a model name or glob")
        reading.question_glob(pattern, path)
        rules.append(ModelRule(pattern, _steps(written, path, reading, targets), dialect))
    return tuple(rules)


def _steps(
    written: list[list[str | None] | None] | None, path: str, reading: Reading, targets: _Targets
) -> tuple[tuple[tuple[str, str], ...], ...]:
    if written == []:
        reading.problem(path, "an empty list", allowed='"provider/model" or a list of them')
    steps = []
    for index, pooled in enumerate(written or ()):
        pool_path = path if written == [pooled] and len(pooled or ()) == 1 else at(path, index)
        if pooled == []:
            reading.problem(pool_path, "an empty list", allowed='"provider/model" or a list of them')
        split = [
            targets.split(target, at(pool_path, place) if len(pooled or ()) > 1 else pool_path, asked=True)
            for place, target in enumerate(pooled or ())
            if target is not None
        ]
        steps.append(tuple(split))
    return tuple(steps)


def _mcp(
    values: Mapping[str, Mapping[str, Any] | None],
    reading: Reading,
    vault: Vault,
    targets: _Targets,
    outbound: Outbound,
) -> tuple[McpServer, ...]:
    servers = []
    for name, entry in values.items():
        path = at("mcp", name)
        if not is_name(name):
            reading.problem(path, quoted(name), allowed="a name of ASCII letters, digits, dots, - and _")
        if entry is None:
            continue
        if ("url" in entry) == ("builtin" in entry):
            found = "both url and builtin" if "url" in entry else "neither url nor builtin"
            reading.problem(path, found, allowed="one of url and builtin")
        elif "builtin" in entry and "model" not in entry:
            reading.problem(at(path, "model"), "missing", hint='a built-in server needs a model, "provider/model"')
        else:
            other = ("key", "auth") if "builtin" in entry else ("model", "file_roots")
            for key in other:
                if key in entry:
                    reading.problem(at(path, key), f"of no use with {'builtin' if 'builtin' in entry else 'url'}")
        secret = vault.resolve(entry.get("key"), at(path, "key"))
        url, model, auth = entry.get("url"), entry.get("model"), entry.get("auth") or "key"
        if url and (sentence := in_the_clear(url)):
            reading.warn(at(path, "url"), sentence)
        if model:
            targets.split(model, at(path, "model"))
        for index, root in enumerate(entry.get("file_roots") or ()):
            if root is not None and not (root.startswith("/") or root[1:3] in (":\\", ":/")):
                reading.problem(at(at(path, "file_roots"), index), quoted(root), allowed="an absolute path")
        servers.append(
            McpServer(
                name,
                url=url.text if url else "",
                endpoint=through(outbound, _mcp_endpoint(url, auth=auth)) if url else None,
                key=Secret(secret) if secret else None,
                auth=auth,
                builtin=entry.get("builtin") or "",
                model=model or "",
                file_roots=tuple(entry.get("file_roots") or ()),
            )
        )
    return tuple(servers)


def _mcp_endpoint(url: Url, *, auth: str) -> Endpoint:
    """The endpoint at `url`, to the letter: servers tell `/mcp` from `/mcp/`, and some want a key in the query.

    Where clients send an `authorization` of their own to the server, a key of the gateway's goes in another header.
    """
    sends = "x-api-key" if auth == "client" else "bearer"
    return Endpoint("mcp", Origin(url.scheme, url.host, url.port), url.target.encode("ascii"), sends)
