"""Providers, made from `[[providers]]`, from presets and from the environment.

A provider's base URLs:

- A preset has one for each of its dialects. `dialect` picks some of them.
- A `base_url` table replaces those it names and leaves the others; without `dialect` it may also add to the preset's,
  or, without a preset, is the list of dialects.
- A `base_url` string stands for all of the provider's dialects. Where `openai*` ones are among others, it names the
  server: the former are at its `/v1`, the latter at its root. Where the preset has them on unrelated paths (`zai`), one
  string cannot say enough and is refused.

A provider that needs no key and has none gets `auth = "none"` on its endpoints; one that needs a key and has none keeps
its way of sending one, so that the lack shows when it is asked for something. A preset says whether it needs one;
without a preset, every server needs one but those on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from agcore.codecs.url import Url, is_loopback, parse_url
from agcore.config.mistakes import base_url_advice, in_the_clear
from agcore.config.outbound_proxy import Outbound
from agcore.config.presets import DEFAULT_AUTH, PRESETS, Preset
from agcore.config.problems import at, listed, nearest, quoted
from agcore.config.reading import Reading
from agcore.config.secrets import Vault, fits_header
from agcore.config.values import DIALECT_NAMES, Endpoint, Provider, Secret
from agcore.protocol.http import Headers, Origin

_RESERVED_HEADERS: Final = frozenset(
    {
        *("host", "content-length", "content-type", "content-encoding", "accept-encoding", "expect"),
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "cookie"),
    }
)
"""Headers that are the gateway's to set: framing, connection, credentials."""

_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
"""The characters of a header's name, in lower case (RFC 9110, 5.6.2)."""

_NEEDS: Final = "a provider takes a preset, or a dialect and a base_url"


def build_providers(
    entries: Sequence[Mapping[str, Any] | None], reading: Reading, vault: Vault, outbound: Outbound
) -> tuple[Provider, ...]:
    """The providers of `[[providers]]`, whose values have passed the schema or are None."""
    paths: dict[str, str] = {}
    providers = []
    for index, entry in enumerate(entries):
        if entry is None:
            continue
        path = at("providers", index)
        name = _name(entry, path, reading)
        if name in paths:
            hint = "give each provider a name of its own"
            reading.problem(at(path, "name"), f"{quoted(name)} is the name of {paths[name]}", hint=hint)
        paths.setdefault(name, path)
        providers.append(_provider(name, entry, path, reading, vault, outbound))
    return tuple(providers)


def environment_providers(
    environ: Mapping[str, str], reading: Reading, vault: Vault, outbound: Outbound
) -> tuple[Provider, ...]:
    """A provider for each preset that `environ` has a key for, in the order of the table, with the preset's name."""
    providers = []
    for name, preset in PRESETS.items():
        variable = next((variable for variable in preset.environment if environ.get(variable, "").strip()), None)
        if variable is None:
            continue
        if not fits_header(environ[variable].strip()):
            reading.warn(variable, "characters that an HTTP header cannot carry; left out")
            continue
        found = vault.cleaned(environ[variable].strip(), variable)
        secret = found and vault.of_provider(found, variable, f"env:{variable}", vendor=True)
        if not secret:
            continue
        endpoints = {
            dialect: through(outbound, endpoint(dialect, parse_url(url), auth=preset.auth_for(dialect)))
            for dialect, url in preset.base_urls.items()
        }
        providers.append(
            Provider(
                name,
                endpoints,
                keys=(Secret(secret),),
                models=preset.models,
                preset=name,
                signer=preset.signer or name,
            )
        )
    return tuple(providers)


def is_name(text: str) -> bool:
    """Whether the text can name a provider or an MCP server: ASCII letters, digits, dots, `-` and `_`."""
    return text.isascii() and text.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()


def on_server(url: Url, dialect: str) -> Url:
    """The base URL for one dialect on a server that speaks several: `openai*` at its `/v1`, others at its root."""
    root = url.path.removesuffix("/v1")
    return msgspec.structs.replace(url, path=f"{root}/v1" if _is_openai(dialect) else root)


def endpoint(dialect: str, url: Url, *, auth: str, ca_file: str = "") -> Endpoint:
    """The endpoint at a base URL."""
    return Endpoint(dialect, Origin(url.scheme, url.host, url.port, ca_file), url.path.encode("ascii"), auth)


def through(outbound: Outbound, endpoint: Endpoint, *, url: Url | None = None, path: str = "") -> Endpoint:
    """The endpoint with the outbound proxy that leads to it; `url`, which stands at `path`, is one just for it."""
    return msgspec.structs.replace(endpoint, origin=outbound.route(endpoint.origin, url=url, path=path))


def _is_openai(dialect: str) -> bool:
    return dialect.startswith("openai")


def _name(entry: Mapping[str, Any], path: str, reading: Reading) -> str:
    """The provider's name, or its preset's; a stand-in where there is neither, once that is reported."""
    if "name" not in entry and "preset" not in entry:
        reading.problem(at(path, "name"), "missing", hint="a provider takes a name, or that of its preset")
    name = entry.get("name", entry.get("preset"))
    if name is None:
        return path
    if not is_name(name):
        reading.problem(at(path, "name"), quoted(name), allowed="a name of ASCII letters, digits, dots, - and _")
    return str(name)


def _provider(
    name: str, entry: Mapping[str, Any], path: str, reading: Reading, vault: Vault, outbound: Outbound
) -> Provider:
    preset = PRESETS.get(entry.get("preset") or "")
    endpoints = {}
    for dialect, url in _base_urls(entry, preset, path, reading).items():
        auth = entry.get("auth") or (preset.auth_for(dialect) if preset else DEFAULT_AUTH[dialect])
        endpoints[dialect] = endpoint(dialect, url, auth=auth, ca_file=entry.get("ca_file") or "")
    keys = _keys(entry, path, reading, vault)
    if keys and entry.get("auth") == "none":
        reading.warn(path, f'provider {quoted(name)} has auth = "none", so that its keys are not sent')
    if not keys and entry.get("auth") != "none":
        local = all(is_loopback(each.origin.host) for each in endpoints.values())
        if preset.key_needed if preset else not local:
            hint = f'keys = ["env:{preset.environment[0]}"]' if preset else 'keys, or auth = "none"'
            reading.warn(path, f"provider {quoted(name)} has no key to use and will not answer; set {hint}")
        else:
            endpoints = {dialect: msgspec.structs.replace(each, auth="none") for dialect, each in endpoints.items()}
    models, proxy_url = entry.get("models"), entry.get("proxy_url")
    reading.question_globs(models, at(path, "models"))
    where = at(path, "proxy_url")
    endpoints = {dialect: through(outbound, each, url=proxy_url, path=where) for dialect, each in endpoints.items()}
    return Provider(
        name,
        endpoints,
        keys=keys,
        models=tuple(models) if models is not None else preset.models if preset else ("*",),
        preset=entry.get("preset") or "",
        signer=(preset.signer if preset else "") or name,
        headers=_headers(entry.get("headers") or {}, at(path, "headers"), reading, vault),
        proxy_url=proxy_url.text if proxy_url else "",
        **{key: entry[key] for key in ("strategy", "weight", "first_byte") if key in entry},
    )


def _base_urls(entry: Mapping[str, Any], preset: Preset | None, path: str, reading: Reading) -> dict[str, Url]:
    """The base URL of each dialect, as they are written, without the wrong ones, which are reported."""
    given = entry.get("base_url")
    table = given if isinstance(given, dict) else {}
    known = preset.base_urls if preset else {}
    here = at(path, "base_url")
    for dialect in table:
        if dialect not in DIALECT_NAMES:
            hint = nearest(dialect, DIALECT_NAMES)
            reading.problem(here, quoted(dialect), allowed=f"URLs for {listed(DIALECT_NAMES)}", hint=hint)
    if "preset" not in entry and "base_url" not in entry:
        where = here if "dialect" in entry else path
        reading.problem(where, "missing" if "dialect" in entry else "neither preset nor base_url", hint=_NEEDS)
        return {}
    if any(key in entry and entry[key] is None for key in ("preset", "base_url", "dialect")):
        return {}
    written = entry.get("dialect", [*known, *(dialect for dialect in table if dialect in DIALECT_NAMES)])
    if not written:
        where, found = at(path, "dialect"), "an empty list" if "dialect" in entry else "missing"
        reading.problem(where, found, hint=f"dialects: {', '.join(DIALECT_NAMES)}")
    if None in written:
        return {}
    dialects = tuple(dict.fromkeys(written))
    for dialect in table:
        if dialect in DIALECT_NAMES and dialect not in dialects:
            hint = f"add {quoted(dialect)} to dialect"
            reading.problem(at(here, dialect), "a URL for a dialect that this provider does not speak", hint=hint)
    if isinstance(given, Url):
        urls = _one_for_all(given, dialects, known, here, reading)
    else:
        urls = {}
        for dialect in dialects:
            if dialect in table:
                urls[dialect] = table[dialect]
            elif dialect in known:
                urls[dialect] = parse_url(known[dialect])
            else:
                hint = f"base_url = {{ {dialect} = ... }}"
                reading.problem(here, f"no URL for the dialect {quoted(dialect)}", hint=hint)
    for dialect, url in urls.items():
        if given is not None and url is not None and (advice := base_url_advice(dialect, url)):
            reading.warn(here, advice)
    right = {dialect: url for dialect, url in urls.items() if url is not None}
    for sentence in dict.fromkeys(map(in_the_clear, right.values() if given is not None else ())):
        if sentence:
            reading.warn(here, sentence)
    return right


def _one_for_all(
    url: Url, dialects: tuple[str, ...], known: Mapping[str, str], path: str, reading: Reading
) -> dict[str, Url | None]:
    """The base URL of each dialect where `base_url` is one string."""
    servers = {known[dialect].removesuffix("/v1") for dialect in dialects if dialect in known}
    if len(servers) > 1:
        found = f"one URL for dialects that this preset has on unrelated paths ({', '.join(dialects)})"
        reading.problem(path, found, hint="name one of them as dialect, or give a table by dialect")
    if len({_is_openai(dialect) for dialect in dialects}) > 1:
        return {dialect: on_server(url, dialect) for dialect in dialects}
    return dict.fromkeys(dialects, url)


def _keys(entry: Mapping[str, Any], path: str, reading: Reading, vault: Vault) -> tuple[Secret, ...]:
    keys: dict[Secret, str] = {}
    for index, text in enumerate(entry.get("keys") or ()):
        where = at(at(path, "keys"), index)
        found = vault.resolve(text, where)
        vendor = "preset" in entry and "base_url" not in entry
        secret = None if found is None else vault.of_provider(found, where, text, vendor=vendor)
        if secret is None:
            continue
        if Secret(secret) in keys:
            reading.warn(where, f"the same key as {keys[Secret(secret)]}; this one is left out")
        keys.setdefault(Secret(secret), where)
    return tuple(keys)


def _headers(values: Mapping[str, str | None], path: str, reading: Reading, vault: Vault) -> Headers:
    headers: dict[str, bytes] = {}
    for written, text in values.items():
        name, where = written.lower(), at(path, written)
        if not name or not _TOKEN.issuperset(name):
            reading.problem(where, quoted(written), allowed="a header name")
        elif name in _RESERVED_HEADERS:
            reading.problem(where, "a header that the gateway sets itself", hint="for credentials, see keys and auth")
        elif name in headers:
            reading.problem(where, "a header that stands twice; names differ in more than case")
        else:
            value = vault.resolve(text, where, credential=False) if text else ""
            if value is not None:
                headers[name] = value.encode("ascii")
    return tuple((name.encode("ascii"), value) for name, value in headers.items())
