"""Who is admitted, as plain data: every route x mode x credential, and the rules for browsers and odd credentials.

The routes come from the route table, the expectations from the tables below. Those restate the rules of access
in the simplest words; nothing here asks agcore.auth. A case can be told to the core, or
sent over a socket: no configuration has a provider, so that no route needs an upstream for its answer. Over a socket a
case is sendable when its `peer` is loopback; `host` replaces the field that a client would send by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from agcore.config.values import ClientKey, Config, Proxy, Secret
from agcore.ingress.routes import NOT_SERVED, ROUTES
from agcore.protocol.http import Headers

NOW: Final = 1_790_000_000.0
"""The time at which `EXPIRED` is over and `LASTING` is not, in any run for a long while."""

GOOD: Final = "sk-good-0123456789abcdef"
BAD: Final = "sk-other-0123456789abcde"
EXPIRED: Final = "sk-expired-0123456789abc"
LASTING: Final = "sk-lasting-0123456789abc"
UMLAUT: Final = "sk-schl\u00fcssel"

ADMITTED: Final = 0
"""Expected instead of a status: the request gets past the guard. What its route answers then is never a 401, 403 or 421."""


class Case(NamedTuple):
    """One request and what becomes of it."""

    id: str
    config: str
    """A name of `CONFIGS`."""
    method: str
    target: str
    headers: Headers
    expected: int
    """`ADMITTED`, or the status of the refusal."""
    dialect: str = "openai_chat"
    """Whose error shape a refusal has."""
    peer: str | None = "127.0.0.1"
    host: bytes | None = b"127.0.0.1:8045"
    body: bytes = b""


def _config(mode: str, *, lan: bool = False) -> Config:
    keys = (
        ClientKey("default", Secret(GOOD)),
        ClientKey("old", Secret(EXPIRED), expires=NOW),
        ClientKey("new", Secret(LASTING), expires=NOW + 10 * 365 * 86_400),
        ClientKey("umlaut", Secret(UMLAUT)),
        ClientKey("empty", Secret("")),
    )
    proxy = Proxy(
        auth_mode=mode,
        allow_lan_access=lan,
        keys=keys,
        allowed_hosts=("gateway.example", "Mixed.Example"),
        cors_origins=("https://app.example", "null", "vscode-webview://*"),
    )
    return Config(proxy=proxy)


CONFIGS: Final[Mapping[str, Config]] = {
    "off": _config("off"),
    "strict": _config("strict"),
    "all_except_health": _config("all_except_health"),
    "auto": _config("auto"),
    "auto-lan": _config("auto", lan=True),
}


class Situation(NamedTuple):
    """A mode, and where the request comes from."""

    config: str
    peer: str | None
    headers: Headers
    probes_need_a_key: bool
    others_need_a_key: bool


SITUATIONS: Final[Mapping[str, Situation]] = {
    "off": Situation("off", "127.0.0.1", (), False, False),
    "off, from elsewhere": Situation("off", "192.168.1.9", (), False, False),
    "strict": Situation("strict", "127.0.0.1", (), True, True),
    "all_except_health": Situation("all_except_health", "127.0.0.1", (), False, True),
    "auto, this machine": Situation("auto", "127.0.0.1", (), False, False),
    "auto, this machine by IPv6": Situation("auto", "::1", (), False, False),
    "auto, this machine by mapped IPv4": Situation("auto", "::ffff:127.0.0.1", (), False, False),
    "auto, LAN allowed": Situation("auto-lan", "127.0.0.1", (), False, True),
    "auto, from elsewhere": Situation("auto", "192.168.1.9", (), False, True),
    "auto, from elsewhere by mapped IPv4": Situation("auto", "::ffff:192.168.1.9", (), False, True),
    "auto, from nobody known": Situation("auto", None, (), False, True),
    "auto, x-forwarded-for": Situation("auto", "127.0.0.1", ((b"x-forwarded-for", b"203.0.113.7"),), False, True),
    "auto, x-forwarded-host": Situation("auto", "127.0.0.1", ((b"x-forwarded-host", b"a.example"),), False, True),
    "auto, forwarded": Situation("auto", "127.0.0.1", ((b"forwarded", b"for=203.0.113.7"),), False, True),
    "auto, via": Situation("auto", "127.0.0.1", ((b"via", b"1.1 proxy"),), False, True),
}

PROBES: Final = ("/healthz", "/health", "/readyz", "/", "/api/hello")
METADATA: Final = "/.well-known/oauth-protected-resource/mcp/web_reader/mcp"
OPEN: Final = (*PROBES, METADATA)
"""Paths that need a key under `strict` only."""

KEY_IN_QUERY: Final = ("/v1/models", "/v1beta/", "/v1beta1/", "/v1alpha/", "/v1/tunedModels/", "/upload/")
"""Paths on which `?key=` is a credential."""


class Credential(NamedTuple):
    """A way to show a key."""

    name: str
    header: bytes
    prefix: bytes = b""


FORMS: Final[Sequence[Credential]] = (
    Credential("Bearer", b"authorization", b"Bearer "),
    Credential("bearer", b"authorization", b"bearer "),
    Credential("BEARER", b"authorization", b"BEARER "),
    Credential("x-api-key", b"x-api-key"),
    Credential("x-goog-api-key", b"x-goog-api-key"),
    Credential("?key=", b"?key"),
)

_BODY: Final = (b"content-type", b"application/json")
_NAMES: Final = {
    "{version}": "v1beta",
    "{collection}": "models",
    "{model}": "a/model",
    "{name}": "web_reader",
    "/{rest}": "/x",
}


def targets() -> Iterator[tuple[str, str, str]]:
    """A method, a path and the dialect of its errors for every route and method of the table but the admin API's.

    That has a rule of its own, which no mode changes: tests/stories/test_admin.py. Of the many collections that are not
    served one stands for all, since no rule tells them apart.
    """
    for route in ROUTES:
        if route.path.startswith("/admin"):
            continue
        if route.operation == "refuse" and route.path.split("/")[2] in NOT_SERVED[1:]:
            continue
        path = route.path
        for placeholder, value in _NAMES.items():
            path = path.replace(placeholder, value)
        for method in route.methods:
            shared = "gemini" if path.startswith(("/v1beta", "/upload")) else "openai_chat"
            yield method, path, shared if route.dialect == "models" else route.dialect


def matrix() -> Iterator[Case]:
    """Every route x situation x form of credential x good, bad or none."""
    for method, path, dialect in targets():
        for name, situation in SITUATIONS.items():
            needed = situation.probes_need_a_key if path in OPEN else situation.others_need_a_key
            refused = 401 if needed else ADMITTED
            base = Case(
                id=f"{method} {path} [{name}]",
                config=situation.config,
                method=method,
                target=path,
                headers=(*situation.headers, _BODY) if method == "POST" else situation.headers,
                expected=refused,
                dialect=dialect,
                peer=situation.peer,
                body=b"{}" if method == "POST" else b"",
            )
            yield base
            for form in FORMS:
                for word, key in (("good", GOOD), ("bad", BAD)):
                    counts = form.header != b"?key" or path.startswith(KEY_IN_QUERY)
                    case = show(base, form, key)
                    yield case._replace(
                        id=f"{base.id} {word} {form.name}",
                        expected=ADMITTED if word == "good" and counts else refused,
                        dialect="gemini" if form.header in GOOGLE_FORMS and path in SHARED else dialect,
                    )


GOOGLE_FORMS: Final = (b"x-goog-api-key", b"?key")
SHARED: Final = ("/v1/models", "/v1/models/a/model")
"""Paths whose shape depends on how the key is shown."""


def show(case: Case, form: Credential, key: str) -> Case:
    """The same request with a credential."""
    if form.header == b"?key":
        return case._replace(target=f"{case.target}?key={key}")
    return case._replace(headers=(*case.headers, (form.header, form.prefix + key.encode())))


def _strict(name: str, *headers: tuple[bytes, bytes], expected: int, target: str = "/v1/models/claude") -> Case:
    return Case(f"strict: {name}", "strict", "GET", target, headers, expected, "anthropic")


_GOOD: Final = GOOD.encode()
_BAD: Final = BAD.encode()

CREDENTIAL_CASES: Final[Sequence[Case]] = (
    _strict("a bearer token after several spaces", (b"authorization", b"Bearer   " + _GOOD), expected=ADMITTED),
    _strict(
        "a bad bearer token beside a good x-api-key",
        (b"authorization", b"Bearer " + _BAD),
        (b"x-api-key", _GOOD),
        expected=ADMITTED,
    ),
    _strict(
        "a good bearer token beside a bad x-api-key",
        (b"authorization", b"Bearer " + _GOOD),
        (b"x-api-key", _BAD),
        expected=ADMITTED,
    ),
    _strict(
        "a bad x-api-key beside a good x-goog-api-key",
        (b"x-api-key", _BAD),
        (b"x-goog-api-key", _GOOD),
        expected=ADMITTED,
    ),
    _strict("two bad keys", (b"x-api-key", _BAD), (b"x-goog-api-key", _BAD), expected=401),
    _strict(
        "Basic beside a good x-api-key", (b"authorization", b"Basic dTpw"), (b"x-api-key", _GOOD), expected=ADMITTED
    ),
    _strict("Basic beside a bad x-api-key", (b"authorization", b"Basic dTpw"), (b"x-api-key", _BAD), expected=401),
    _strict("a good key as Basic", (b"authorization", b"Basic " + _GOOD), expected=401),
    _strict("a good key without a scheme", (b"authorization", _GOOD), expected=401),
    _strict("a good key with Bearer in x-api-key", (b"x-api-key", b"Bearer " + _GOOD), expected=401),
    _strict("a good key and more", (b"x-api-key", _GOOD + b"0"), expected=401),
    _strict("the beginning of a good key", (b"x-api-key", _GOOD[:-1]), expected=401),
    _strict("a good key in capitals", (b"x-api-key", _GOOD.upper()), expected=401),
    _strict(
        "two good authorization fields",
        (b"authorization", b"Bearer " + _GOOD),
        (b"authorization", b"Bearer " + _GOOD),
        expected=400,
    ),
    _strict("two x-api-key fields, one good", (b"x-api-key", _BAD), (b"x-api-key", _GOOD), expected=400),
    _strict("two x-goog-api-key fields", (b"x-goog-api-key", _BAD), (b"x-goog-api-key", _BAD), expected=400),
    _strict(
        "twice the same beside a good one",
        (b"x-api-key", _BAD),
        (b"x-api-key", _BAD),
        (b"authorization", b"Bearer " + _GOOD),
        expected=400,
    ),
    _strict("an expired key", (b"x-api-key", EXPIRED.encode()), expected=401),
    _strict(
        "an expired key beside a good one",
        (b"authorization", b"Bearer " + EXPIRED.encode()),
        (b"x-api-key", _GOOD),
        expected=ADMITTED,
    ),
    _strict("a key that expires later", (b"x-api-key", LASTING.encode()), expected=ADMITTED),
    _strict("an empty x-api-key", (b"x-api-key", b""), expected=401),
    _strict("an empty bearer token", (b"authorization", b"Bearer "), expected=401),
    _strict("a bearer token of spaces", (b"authorization", b"Bearer    "), expected=401),
    _strict("an empty authorization", (b"authorization", b""), expected=401),
    _strict("a key beyond ASCII", (b"x-api-key", UMLAUT.encode()), expected=ADMITTED),
    _strict("a key beyond ASCII in Latin-1", (b"x-api-key", UMLAUT.encode("latin-1")), expected=401),
    _strict("bytes that are no text", (b"x-api-key", b"\xff\xfe\x80"), expected=401),
    _strict("an empty key in the query", target="/v1/models/claude?key=", expected=401),
    _strict(
        "a good key in the query, percent-encoded",
        target="/v1/models/claude?key=sk%2Dgood-0123456789abcdef",
        expected=ADMITTED,
    ),
    _strict("two keys in the query", target=f"/v1/models/claude?key={GOOD}&key={GOOD}", expected=400)._replace(
        dialect="openai_chat"
    ),
    _strict(
        "a bad key in the query beside a good header",
        (b"x-api-key", _GOOD),
        target=f"/v1/models/claude?key={BAD}",
        expected=ADMITTED,
    ),
    _strict("an unknown path", target="/nowhere", expected=401)._replace(dialect="openai_chat"),
    _strict("a good key in the query of an unknown path", target=f"/nowhere?key={GOOD}", expected=401)._replace(
        dialect="openai_chat"
    ),
    _strict("an unknown path below MCP", target="/mcp/x", expected=401)._replace(dialect="mcp"),
    _strict("a known path with a wrong method", target="/v1/messages", expected=401),
    _strict("a probe with a dot segment", target="/healthz/../v1/models", expected=401)._replace(dialect="openai_chat"),
    _strict("a probe that is posted to", target="/healthz", expected=401)._replace(
        method="POST", dialect="openai_chat", config="all_except_health"
    ),
    _strict("a path that begins like a probe", target="/healthz/more", expected=401)._replace(
        dialect="openai_chat", config="all_except_health"
    ),
    _strict("a probe with a trailing slash", target="/healthz/", expected=ADMITTED)._replace(
        dialect="openai_chat", config="all_except_health"
    ),
    _strict("warm-up is guarded", target="/internal/warmup", expected=401)._replace(
        method="POST", dialect="openai_chat", config="all_except_health"
    ),
    _strict("metrics are guarded", target="/metrics", expected=401)._replace(
        dialect="openai_chat", config="all_except_health"
    ),
)
"""Credentials in odd forms and places, under `strict` where not said otherwise."""


def _browser(
    name: str,
    *headers: tuple[bytes, bytes],
    expected: int,
    host: bytes | None = b"127.0.0.1:8045",
    path: str = "/v1/models/claude",
) -> Case:
    dialect = "mcp" if path.startswith("/mcp") else "anthropic" if path.endswith("claude") else "openai_chat"
    return Case(f"open: {name}", "auto", "GET", path, headers, expected, dialect, host=host)


_KEY: Final = (b"x-api-key", _GOOD)
_MCP: Final = "/mcp/web_reader/mcp"

BROWSER_CASES: Final[Sequence[Case]] = (
    *(
        _browser(f"host {host!r}", expected=ADMITTED, host=host)
        for host in (
            b"localhost",
            b"localhost:8045",
            b"LOCALHOST:8045",
            b"127.0.0.1",
            b"127.0.0.1:8045",
            b"192.168.1.2:8045",
            b"[::1]",
            b"[::1]:8045",
            b"[fe80::1]:80",
            b"gateway.example",
            b"gateway.example:8045",
            b"GateWay.Example",
            b"mixed.example",
        )
    ),
    *(
        _browser(f"host {host!r}", expected=403, host=host)
        for host in (
            None,
            b"",
            b":8045",
            b"evil.com",
            b"evil.com:8045",
            b"localhost.evil.com",
            b"evil.localhost",
            b"127.0.0.1.evil.com",
            b"127.1",
            b"2130706433",
            b"[evil.com]",
            b"a.gateway.example",
            b"\xff",
            b"localhost@evil.com",
        )
    ),
    _browser("host evil.com with a key", _KEY, expected=ADMITTED, host=b"evil.com"),
    _browser("host evil.com with a bad key", (b"x-api-key", _BAD), expected=403, host=b"evil.com"),
    *(_browser(f"host evil.com at {path}", expected=ADMITTED, host=b"evil.com", path=path) for path in PROBES),
    *(
        _browser(f"host evil.com at {path} with {len(key)} keys", *key, expected=421, host=b"evil.com", path=path)
        for path in (_MCP, "/mcp/unknown")
        for key in ((), (_KEY,))
    ),
    _browser("host evil.com at an unknown path", expected=403, host=b"evil.com", path="/nowhere"),
    _browser("host evil.com at OAuth metadata", expected=403, host=b"evil.com", path=METADATA),
    _browser("a foreign origin at OAuth metadata", (b"origin", b"https://evil.com"), expected=403, path=METADATA),
    _browser("no origin", expected=ADMITTED),
    _browser("origin as host", (b"origin", b"http://127.0.0.1:8045"), expected=ADMITTED),
    _browser(
        "origin as host, in capitals", (b"origin", b"http://LOCALHOST:8045"), expected=ADMITTED, host=b"localhost:8045"
    ),
    _browser(
        "origin as host, the host in capitals",
        (b"origin", b"http://localhost:8045"),
        expected=ADMITTED,
        host=b"LocalHost:8045",
    ),
    _browser(
        "origin as host over TLS", (b"origin", b"https://gateway.example"), expected=ADMITTED, host=b"gateway.example"
    ),
    _browser("another port", (b"origin", b"http://127.0.0.1:3000"), expected=403),
    _browser("another name of this machine", (b"origin", b"http://localhost:8045"), expected=403),
    _browser("a foreign origin", (b"origin", b"https://evil.com"), expected=403),
    _browser("a foreign origin with a key", (b"origin", b"https://evil.com"), _KEY, expected=ADMITTED),
    _browser("a foreign origin with a bad key", (b"origin", b"https://evil.com"), (b"x-api-key", _BAD), expected=403),
    _browser("a listed origin", (b"origin", b"https://app.example"), expected=ADMITTED),
    _browser("a listed origin, another scheme", (b"origin", b"http://app.example"), expected=403),
    _browser("a listed origin, another port", (b"origin", b"https://app.example:8443"), expected=403),
    _browser("a name that ends like a listed origin", (b"origin", b"https://evil-app.example"), expected=403),
    _browser("a name that begins like a listed origin", (b"origin", b"https://app.example.evil.com"), expected=403),
    _browser("the origin null, listed", (b"origin", b"null"), expected=ADMITTED),
    _browser("a listed scheme", (b"origin", b"vscode-webview://1a2b3c"), expected=ADMITTED),
    _browser("a scheme that begins like a listed one", (b"origin", b"vscode-webview-evil://x"), expected=403),
    _browser("an empty origin", (b"origin", b""), expected=403),
    _browser("an origin that is no text", (b"origin", b"\xff\xfe"), expected=403),
    _browser("a foreign origin at MCP", (b"origin", b"https://evil.com"), expected=403, path=_MCP),
    _browser("a foreign origin at MCP with a key", (b"origin", b"https://evil.com"), _KEY, expected=403, path=_MCP),
    _browser("a listed origin at MCP", (b"origin", b"https://app.example"), expected=ADMITTED, path=_MCP),
    _browser("sec-fetch-site same-origin", (b"sec-fetch-site", b"same-origin"), expected=ADMITTED),
    _browser("sec-fetch-site none", (b"sec-fetch-site", b"none"), expected=ADMITTED),
    _browser("sec-fetch-site cross-site", (b"sec-fetch-site", b"cross-site"), expected=403),
    _browser("sec-fetch-site cross-site with a key", (b"sec-fetch-site", b"cross-site"), _KEY, expected=ADMITTED),
    _browser(
        "sec-fetch-site cross-site at MCP with a key", (b"sec-fetch-site", b"cross-site"), _KEY, expected=403, path=_MCP
    ),
    _browser(
        "sec-fetch-site cross-site of a listed origin",
        (b"sec-fetch-site", b"cross-site"),
        (b"origin", b"https://app.example"),
        expected=ADMITTED,
    ),
)
"""What a web page could send to a gateway that is open to this machine."""
