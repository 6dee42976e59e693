"""The values of a configuration: what a parsed file, or the environment, means.

The parser makes these values from text; nothing here reads anything. Every value is checked and resolved before it
gets here (globs are patterns, base URLs are origins and prefixes), so that the hot path only looks things up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.models.vendor_profile import VendorRow
from agcore.protocol.http import Headers, Origin

DIALECT_NAMES: Final = ("openai", "openai_completions", "openai_responses", "anthropic", "gemini")
"""What a provider can speak; `openai` is Chat Completions with embeddings, images, audio and moderations beside it."""

_DIALECTS: Final[Mapping[str, str]] = {"openai": "openai_chat"}
"""Name in configurations -> name in the core, where they differ: `openai` would be the name of a whole family there."""
_NAMES: Final[Mapping[str, str]] = {dialect: name for name, dialect in _DIALECTS.items()}


def dialect_of(name: str) -> str:
    """The core's name of the dialect that configurations, and people, call `name`."""
    return _DIALECTS.get(name, name)


def dialect_name(dialect: str) -> str:
    """What configurations, and people, call a dialect of the core."""
    return _NAMES.get(dialect, dialect)


class Secret:
    """A credential whose `repr` and `str` are masked; `reveal()` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself; call it only where bytes go on the wire or into a keyed hash."""
        return self._text

    @property
    def masked(self) -> str:
        """The ends of the secret, `"sk-a...3f9c"`: enough to tell two keys apart, too little to use; or dots."""
        return f"{self._text[:4]}...{self._text[-4:]}" if len(self._text) >= 16 else "..."

    def __repr__(self) -> str:
        return f"<Secret {self.masked}>"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class ClientKey(msgspec.Struct, frozen=True):
    """A key that clients may show: `[[proxy.keys]]`, or `proxy.api_key` under the name `default`."""

    name: str
    key: Secret
    models: tuple[str, ...] = ()
    """Names or globs this key may use; empty for all."""
    expires: float | None = None
    """Seconds since the epoch, or None."""
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    admin: bool = False
    """Whether it opens the admin API too."""

    @property
    def limited(self) -> bool:
        """Whether any of these three limits is set."""
        return self.rpm is not None or self.tpm is not None or self.concurrency is not None


class Proxy(msgspec.Struct, frozen=True):
    """`[proxy]`."""

    host: str = "127.0.0.1"
    port: int = 8045
    auth_mode: str = "auto"
    """As written: `off`, `strict`, `all_except_health` or `auto`."""
    allow_lan_access: bool = False
    keys: tuple[ClientKey, ...] = ()
    """`api_key` first (named `default`), then `[[proxy.keys]]`."""
    admin_key: Secret | None = None
    """Opens the admin API. Without one, this machine may use that, and keys with `admin`."""
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    public_url: str = ""
    on_loss: str = "report"
    tables: str = ""
    proxy_url: str = ""
    ca_file: str = ""
    """CAs for all providers, beside the usual ones."""
    tls_cert: str = ""
    tls_key: str = ""


class Timeouts(msgspec.Struct, frozen=True):
    """`[timeouts]`, in seconds."""

    header: float = 15
    body_idle: float = 60
    write: float = 60
    connect: float = 10
    first_byte: float = 570
    request: float = 600
    idle: float = 300
    open_after: float = 10
    ping: float = 15
    keepalive: float = 75
    pool_idle: float = 60
    drain: float = 30
    drain_grace: float = 0


class Limits(msgspec.Struct, frozen=True):
    """`[limits]`; the properties give bytes."""

    max_body_mb: float = 100
    max_json_mb: float = 32
    max_header_kb: float = 32
    max_headers: int = 100
    max_connections: int = 1000
    max_buffered_mb: float = 512

    @property
    def max_body(self) -> int:
        """Bytes of a multipart body."""
        return int(self.max_body_mb * 1024 * 1024)

    @property
    def max_json(self) -> int:
        """Bytes of a JSON body, of a request as of an answer."""
        return int(self.max_json_mb * 1024 * 1024)

    @property
    def max_header(self) -> int:
        """Bytes of a request head."""
        return int(self.max_header_kb * 1024)

    @property
    def max_buffered(self) -> int:
        """Bytes held over all exchanges together."""
        return int(self.max_buffered_mb * 1024 * 1024)


class Retry(msgspec.Struct, frozen=True):
    """`[retry]`."""

    attempts: int = 4
    patience: float = 0
    """Seconds that a request may wait for the first of its cooldowns to end, before it is refused."""


class Pool(msgspec.Struct, frozen=True):
    """`[pool]`."""

    state_file: str = ""


class Endpoint(msgspec.Struct, frozen=True):
    """Where and how one provider speaks one dialect."""

    dialect: str
    """One of `DIALECT_NAMES` when it is made; the core's name of it afterwards."""
    origin: Origin
    prefix: bytes
    """The path part of the base URL without a trailing slash: `b"/v1"`, `b""`."""
    auth: str
    """`bearer`, `x-api-key`, `x-goog-api-key` or `none`."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "dialect", dialect_of(self.dialect))


class Provider(msgspec.Struct, frozen=True):
    """`[[providers]]`."""

    name: str
    endpoints: Mapping[str, Endpoint]
    """By dialect, named as in `Endpoint.dialect`, as they were written."""
    keys: tuple[Secret, ...] = ()
    """Empty where the endpoints need none."""
    models: tuple[str, ...] = ("*",)
    """Ids or globs this provider serves."""
    preset: str = ""
    signer: str = ""
    """Whose reasoning signatures this provider makes and accepts; its own name where nothing is said."""
    headers: Headers = ()
    proxy_url: str = ""
    strategy: str = "sticky"
    weight: float = 1
    first_byte: float = 0
    """Seconds until its answers begin, in place of `Timeouts.first_byte`, and of `Timeouts.request` where that is
    shorter; 0 for those."""

    def __post_init__(self) -> None:
        endpoints = {dialect_of(name): endpoint for name, endpoint in self.endpoints.items()}
        msgspec.structs.force_setattr(self, "endpoints", endpoints)
        msgspec.structs.force_setattr(self, "signer", self.signer or self.name)

    @property
    def dialect_names(self) -> tuple[str, ...]:
        """What it speaks, as configurations say it."""
        return tuple(dialect_name(dialect) for dialect in self.endpoints)

    @property
    def preferred_endpoint(self) -> Endpoint:
        """Where it is asked what can be asked in any of its dialects: the one written first."""
        return next(iter(self.endpoints.values()))

    @property
    def has_credential(self) -> bool:
        """Whether it can be asked at all: it has a key, or needs none."""
        return bool(self.keys) or all(endpoint.auth == "none" for endpoint in self.endpoints.values())


class ModelRule(msgspec.Struct, frozen=True):
    """One line of `[models]`, or of a dialect's table under it."""

    pattern: str
    """A name, or a glob with `*`."""
    steps: tuple[tuple[tuple[str, str], ...], ...]
    """In the order to be tried, each with one or more pooled (provider name, upstream model or `ASKED_MODEL`)."""
    dialect: str = ""
    """Whose clients it is for, like `Endpoint.dialect`; empty for all."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "dialect", dialect_of(self.dialect))


class McpServer(msgspec.Struct, frozen=True):
    """`[mcp.NAME]`."""

    name: str
    url: str = ""
    endpoint: Endpoint | None = None
    """Where `url` leads; None for a built-in server."""
    key: Secret | None = None
    auth: str = "key"
    builtin: str = ""
    model: str = ""
    file_roots: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True):
    """`[record]`."""

    dir: str = ""


class Tables(msgspec.Struct, frozen=True):
    """What the file of `[proxy] tables` says, over the shipped tables."""

    profiles: tuple[VendorRow, ...] = ()
    """Rows of vendor profiles, behind the shipped ones."""
    models: Mapping[str, Mapping[str, object]] = {}
    """Like `Config.capabilities`, which has the last word."""
    prices: Mapping[str, Mapping[str, float]] = {}
    """Glob -> `input`, `output`, `cache_read`, `cache_write` -> USD per million tokens."""


class Config(msgspec.Struct, frozen=True):
    """A whole configuration."""

    proxy: Proxy = Proxy()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    retry: Retry = Retry()
    pool: Pool = Pool()
    providers: tuple[Provider, ...] = ()
    models: tuple[ModelRule, ...] = ()
    """In the order written."""
    capabilities: Mapping[str, Mapping[str, object]] = {}
    """Overrides of the shipped tables of models and vendors: glob -> field -> value."""
    tables: Tables = Tables()
    mcp: tuple[McpServer, ...] = ()
    record: Record = Record()


ASKED_MODEL = "*"
"""As the model of a rule's target: the name that the client asked for."""
