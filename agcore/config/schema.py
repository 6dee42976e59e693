"""The schema of configurations: every key there is, with the shape of its value. `reading` holds a document to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from agcore.config.presets import AUTH_NAMES, PRESETS
from agcore.config.values import DIALECT_NAMES
from agcore.models.overrides import CHOICES, OVERRIDE_FIELDS
from agcore.models.vendor_profile import VENDOR_CHOICES, VENDOR_FIELDS

NOT_YET_IN_EFFECT: Final = frozenset(
    {
        "record.dir",
    }
)
"""Keys that are checked but change nothing yet: `[]` is any entry, `*` any name."""


class Flag(msgspec.Struct, frozen=True):
    """`true` or `false`."""

    expected: str = "true or false"


class Number(msgspec.Struct, frozen=True):
    """A number within bounds, both included."""

    expected: str
    low: float
    high: float
    whole: bool = False


class Text(msgspec.Struct, frozen=True):
    """A string: one of `choices` if there are any, and nothing a message may show if it is `secret`."""

    expected: str = "a string"
    choices: tuple[str, ...] = ()
    empty: bool = False
    secret: bool = False


class UrlText(msgspec.Struct, frozen=True):
    """A string that is an http or https URL; read as `Url`, and as `None` where it is allowed to be empty and is."""

    expected: str = "an http:// or https:// URL"
    empty: bool = False
    query: bool = False
    login: bool = False
    proxy: bool = False
    """The other schemes of proxies are allowed, too."""


class Moment(msgspec.Struct, frozen=True):
    """A date, a date with a time, or RFC 3339 text; UTC unless it says otherwise; read as epoch seconds."""

    expected: str = 'a date such as 2027-01-31 or "2027-01-31T12:00:00Z"'


class ListOf(msgspec.Struct, frozen=True):
    """A list whose items have one shape."""

    item: Schema
    expected: str


class MapOf(msgspec.Struct, frozen=True):
    """A table whose keys are the user's own names.

    A table under one of the names in `tables` is a table of the same kind, whose items are for that name only.
    """

    item: Schema
    expected: str = "a table"
    tables: tuple[str, ...] = ()


class OneOr(msgspec.Struct, frozen=True):
    """One thing by itself, which is a string, or several; a list of one where several are a list."""

    one: Text | UrlText | OneOr
    several: ListOf | MapOf


class Table(msgspec.Struct, frozen=True):
    """A table with known keys."""

    keys: Mapping[str, Schema]
    expected: str = "a table"


Plain: TypeAlias = Flag | Number | Text | UrlText | Moment
Several: TypeAlias = ListOf | MapOf | Table
Schema: TypeAlias = Plain | Several | OneOr

_SECONDS: Final = Number("a number of seconds", 0.001, 31_536_000)
_SECONDS_OR_NONE: Final = Number("a number of seconds", 0, 31_536_000)
_SIZE: Final = Number("a number", 0.001, 1_000_000)
_COUNT: Final = Number("a whole number", 1, 1_000_000_000, whole=True)
_PATH: Final = Text("a file or directory name", empty=True)
SECRET_FORMS: Final = 'a key, "env:NAME", "file:PATH" or "cmd:COMMAND"'
_SECRET: Final = Text(SECRET_FORMS, secret=True)
_MODELS: Final = ListOf(Text("a model name or glob"), "a list of model names or globs")
_TARGET: Final = Text('"provider/model"')
_STEP: Final = OneOr(_TARGET, ListOf(_TARGET, '"provider/model" or a list of them'))
_STEPS: Final = OneOr(_STEP, ListOf(_STEP, '"provider/model" or a list of them'))
_DIALECT: Final = Text("a dialect", choices=DIALECT_NAMES)
_BASE_URL: Final = UrlText()
_PROXY_URL: Final = UrlText("an http://, https://, socks5:// or socks5h:// URL", empty=True, login=True, proxy=True)


def _capability(field: str, kind: type) -> Schema:
    if field in CHOICES:
        return Text(choices=CHOICES[field])
    if field == "endpoints":
        return ListOf(_DIALECT, "a list of dialects")
    if kind is int:
        return Number("a whole number", 0, 1_000_000_000, whole=True)
    if kind is list:
        return ListOf(Text(), "a list of strings")
    return Flag() if kind is bool else Text()


CAPABILITIES: Final[Mapping[str, Schema]] = {field: _capability(field, kind) for field, kind in OVERRIDE_FIELDS.items()}
"""What may be said of a model."""

_USD: Final = Number("USD per million tokens", 0, 1_000_000)
PRICES: Final = MapOf(Table(dict.fromkeys(("input", "output", "cache_read", "cache_write"), _USD)))
"""Prices of models."""

TABLES: Final = Table(
    {
        "profiles": ListOf(
            Table(
                {
                    "vendors": ListOf(Text(), "a list of presets or names of providers"),
                    "models": _MODELS,
                    "dialects": ListOf(_DIALECT, "a list of dialects"),
                    "source": Text(),
                    **{
                        field: Text(choices=VENDOR_CHOICES[field]) if field in VENDOR_CHOICES else CAPABILITIES[field]
                        for field in VENDOR_FIELDS
                    },
                }
            ),
            "tables, each headed [[profiles]]",
        ),
        "models": MapOf(Table(CAPABILITIES)),
        "prices": PRICES,
    }
)
"""The file of `[proxy] tables`."""

SCHEMA: Final = Table(
    {
        "proxy": Table(
            {
                "host": Text("an address to listen on"),
                "port": Number("a port number", 0, 65535, whole=True),
                "auth_mode": Text("an auth mode", choices=("off", "strict", "all_except_health", "auto")),
                "allow_lan_access": Flag(),
                "api_key": _SECRET,
                "admin_key": Text(_SECRET.expected, empty=True, secret=True),
                "keys": ListOf(
                    Table(
                        {
                            "name": Text("a name"),
                            "key": _SECRET,
                            "models": _MODELS,
                            "expires": Moment(),
                            "rpm": _COUNT,
                            "tpm": _COUNT,
                            "concurrency": _COUNT,
                            "admin": Flag(),
                        }
                    ),
                    "tables, each headed [[proxy.keys]]",
                ),
                "allowed_hosts": ListOf(Text("a host name"), "a list of host names"),
                "cors_origins": ListOf(Text("a web origin"), "a list of web origins"),
                "public_url": UrlText(empty=True),
                "tables": _PATH,
                "on_loss": Text("a policy", choices=("report", "reject")),
                "proxy_url": _PROXY_URL,
                "ca_file": _PATH,
                "tls_cert": _PATH,
                "tls_key": _PATH,
            }
        ),
        "timeouts": Table(
            {
                "header": _SECONDS,
                "body_idle": _SECONDS,
                "write": _SECONDS,
                "connect": _SECONDS,
                "first_byte": _SECONDS,
                "request": _SECONDS,
                "idle": _SECONDS,
                "open_after": _SECONDS,
                "ping": _SECONDS,
                "keepalive": _SECONDS,
                "pool_idle": _SECONDS,
                "drain": _SECONDS_OR_NONE,
                "drain_grace": _SECONDS_OR_NONE,
            }
        ),
        "limits": Table(
            {
                "max_body_mb": _SIZE,
                "max_json_mb": _SIZE,
                "max_header_kb": _SIZE,
                "max_headers": _COUNT,
                "max_connections": _COUNT,
                "max_buffered_mb": _SIZE,
            }
        ),
        "retry": Table({"attempts": Number("a whole number", 1, 100, whole=True), "patience": _SECONDS_OR_NONE}),
        "pool": Table({"state_file": _PATH}),
        "providers": ListOf(
            Table(
                {
                    "name": Text("a name"),
                    "preset": Text("a preset", choices=tuple(PRESETS)),
                    "dialect": OneOr(_DIALECT, ListOf(_DIALECT, "a dialect or a list of dialects")),
                    "base_url": OneOr(_BASE_URL, MapOf(_BASE_URL, "a URL or a table of URLs by dialect")),
                    "auth": Text("a way to send the key", choices=AUTH_NAMES),
                    "headers": MapOf(Text("a header value", empty=True, secret=True), "a table of header values"),
                    "ca_file": _PATH,
                    "proxy_url": _PROXY_URL,
                    "keys": ListOf(_SECRET, 'a list of keys, as in ["env:NAME"]'),
                    "models": _MODELS,
                    "strategy": Text("a strategy", choices=("sticky", "round_robin", "least_busy")),
                    "weight": Number("a number", 0.001, 1_000_000),
                    "first_byte": _SECONDS,
                }
            ),
            "tables, each headed [[providers]]",
        ),
        "models": MapOf(_STEPS, tables=DIALECT_NAMES),
        "capabilities": MapOf(Table(CAPABILITIES)),
        "mcp": MapOf(
            Table(
                {
                    "url": UrlText(query=True),
                    "key": _SECRET,
                    "auth": Text("a way to authenticate", choices=("key", "client")),
                    "builtin": Text("a built-in server", choices=("vision",)),
                    "model": _TARGET,
                    "file_roots": ListOf(Text("a directory name"), "a list of directory names"),
                }
            )
        ),
        "record": Table({"dir": _PATH}),
    }
)
"""Every key there is."""


def secrets_in(schema: Schema, value: object) -> Iterator[str]:
    """All strings that stand where a secret belongs, in the order of a document that may have any problem."""
    match schema, value:
        case Text(secret=True), str():
            yield value
        case (ListOf(item=item), list()):
            for member in value:
                yield from secrets_in(item, member)
        case (MapOf(item=item), dict()):
            for member in value.values():
                yield from secrets_in(item, member)
        case (Table(keys=keys), dict()):
            for key, member in value.items():
                if key in keys:
                    yield from secrets_in(keys[key], member)
