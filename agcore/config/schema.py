"""The schema of configurations, and the reading of one document against it.

`SCHEMA` holds every key with the shape of its value. `Reading.read` walks a document along the schema, once, and
reports all that does not fit: unknown keys, wrong types, values out of range. Values that fit come back converted (URLs
taken apart, dates as epoch seconds). A value that does not fit comes back as None in its place, so that checks of
several keys still cover the rest of the file, and positions in lists stay those of the file. TOML itself has no null,
so None means nothing else.

A problem shows nothing of a URL, nor of a value that stands where a secret belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from agcore.codecs.url import Url, parse_url
from agcore.config.presets import AUTH_NAMES, PRESETS
from agcore.config.values import DIALECT_NAMES
from agcore.models.profiles import CAPABILITY_FIELDS, REASONING_KINDS

NOT_YET_IN_EFFECT: Final = frozenset(
    {
        "record.dir",
    }
)
"""Keys that are checked but change nothing yet: `[]` is any entry, `*` any name."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a configuration; `str(problem)` is one line that says all of it."""

    path: str
    """The key, as in `providers[1].base_url`."""
    found: str
    """What is there, in words: `the string "5m"`; or the whole complaint where `allowed` is empty."""
    allowed: str = ""
    """What may be there: `a number of seconds`."""
    hint: str = ""
    """What to write instead, where that can be guessed."""

    def __str__(self) -> str:
        message = f"expected {self.allowed}, found {self.found}" if self.allowed else self.found
        return f"{self.path}: {message}" + (f"; {self.hint}" if self.hint else "")


class ConfigError(ValueError):
    """A configuration that cannot be used; `problems` are all of them, and the text has one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


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
_SECRET: Final = Text('a key, "env:NAME" or "file:PATH"', secret=True)
_MODELS: Final = ListOf(Text("a model name or glob"), "a list of model names or globs")
_TARGET: Final = Text('"provider/model"')
_STEP: Final = OneOr(_TARGET, ListOf(_TARGET, '"provider/model" or a list of them'))
_STEPS: Final = OneOr(_STEP, ListOf(_STEP, '"provider/model" or a list of them'))
_DIALECT: Final = Text("a dialect", choices=DIALECT_NAMES)
_BASE_URL: Final = UrlText()


def _capability(field: str, kind: type) -> Schema:
    if field == "reasoning":
        return Text("a kind of reasoning", choices=REASONING_KINDS)
    if kind is int:
        return Number("a whole number", 0, 1_000_000_000, whole=True)
    if kind is list:
        return ListOf(Text(), "a list of strings")
    return Flag() if kind is bool else Text()


SCHEMA: Final = Table(
    {
        "proxy": Table(
            {
                "host": Text("an address to listen on"),
                "port": Number("a port number", 0, 65535, whole=True),
                "auth_mode": Text("an auth mode", choices=("off", "strict", "all_except_health", "auto")),
                "allow_lan_access": Flag(),
                "api_key": _SECRET,
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
                        }
                    ),
                    "tables, each headed [[proxy.keys]]",
                ),
                "allowed_hosts": ListOf(Text("a host name"), "a list of host names"),
                "cors_origins": ListOf(Text("a web origin"), "a list of web origins"),
                "public_url": UrlText(empty=True),
                "on_loss": Text("a policy", choices=("report", "reject")),
                "proxy_url": UrlText(empty=True, login=True),
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
        "retry": Table({"attempts": Number("a whole number", 1, 100, whole=True)}),
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
                    "proxy_url": UrlText(empty=True, login=True),
                    "keys": ListOf(_SECRET, 'a list of keys, as in ["env:NAME"]'),
                    "models": _MODELS,
                    "strategy": Text("a strategy", choices=("sticky", "round_robin", "least_busy")),
                    "weight": Number("a number", 0.001, 1_000_000),
                }
            ),
            "tables, each headed [[providers]]",
        ),
        "models": MapOf(_STEPS, tables=DIALECT_NAMES),
        "capabilities": MapOf(Table({field: _capability(field, kind) for field, kind in CAPABILITY_FIELDS.items()})),
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


def at(path: str, key: str | int) -> str:
    """The path of a member: `at("providers", 1)` is `providers[1]`; names that TOML would quote are quoted."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    bare = key.isascii() and key.replace("-", "_").replace("_", "a").isalnum()
    name = key if bare else quoted(key)
    return f"{path}.{name}" if path else name


def quoted(text: str) -> str:
    """The text in double quotes, fit for one line of a terminal: nothing unprintable, and not all of a long one."""
    text = text if len(text) <= 80 else text[:77] + "..."
    return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text) + '"'


def listed(names: Iterable[str]) -> str:
    """The names in quotes, as a choice: `"a", "b" or "c"`."""
    *most, last = map(quoted, names)
    return f"{', '.join(most)} or {last}" if most else last


def nearest(name: str, names: Iterable[str]) -> str:
    """The question `did you mean "port"?` where one of the names is near, else an empty string."""
    # Imported here: it is slow to load, and needed only for what is wrong anyway.
    from difflib import get_close_matches

    near = get_close_matches(name.lower()[:80], tuple(names), 1)
    return f"did you mean {quoted(near[0])}?" if near else ""


class Reading:
    """The reading of one document, with the problems and warnings found so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.unused: list[str] = []

    def problem(self, path: str, found: str, *, allowed: str = "", hint: str = "") -> None:
        """Add a problem."""
        self.problems.append(Problem(path, found, allowed, hint))

    def warn(self, path: str, sentence: str) -> None:
        """Add a warning: a sentence about something that works less well than was meant."""
        self.warnings.append(f"{path}: {sentence}")

    def read(self, schema: Schema, value: object, *, path: str = "", pattern: str = "") -> Any:
        """The value in the form that the schema promises; None where the value does not fit.

        `path` names this very value and `pattern` its kind, as in `NOT_YET_IN_EFFECT`.
        """
        if pattern in NOT_YET_IN_EFFECT and value not in ("", [], {}):
            self.unused.append(path)
        if isinstance(schema, OneOr):
            if not isinstance(value, str):
                return self.read(schema.several, value, path=path, pattern=pattern)
            single = self.read(schema.one, value, path=path, pattern=pattern)
            return [single] if isinstance(schema.several, ListOf) else single
        match schema, value:
            case (Table(keys=keys), dict()):
                return {
                    key: self.read(keys[key], member, path=at(path, key), pattern=f"{pattern}.{key}".lstrip("."))
                    for key, member in value.items()
                    if self._known(key, keys, path)
                }
            case (MapOf(), dict()):
                return {
                    key: self._entry(schema, key, member, path=at(path, key), pattern=f"{pattern}.*")
                    for key, member in value.items()
                }
            case (ListOf(item=item), list()):
                return [
                    self.read(item, member, path=at(path, index), pattern=f"{pattern}[]")
                    for index, member in enumerate(value)
                ]
            case (Text(), str()):
                return self._text(schema, value, path)
            case (UrlText(), str()):
                return self._url(schema, value, path)
            case (Number(), int() | float()) if not isinstance(value, bool):
                return self._number(schema, value, path)
            case (Flag(), bool()):
                return value
            case (Moment(), _):
                return self._moment(schema, value, path)
        self._misfit(schema, value, path)
        return None

    def _entry(self, schema: MapOf, key: str, value: object, *, path: str, pattern: str) -> Any:
        if not schema.tables or not isinstance(value, dict):
            return self.read(schema.item, value, path=path, pattern=pattern)
        if key in schema.tables:
            return self.read(MapOf(schema.item), value, path=path, pattern=pattern)
        found = f"a table, which only {listed(schema.tables)} can be"
        hint = nearest(key, schema.tables) or "a name with a dot in it is written in quotes"
        self.problem(path, found, hint=hint)
        return None

    def _known(self, key: str, keys: Mapping[str, Schema], path: str) -> bool:
        if key in keys:
            return True
        hint = nearest(key, keys) or f"allowed: {', '.join(keys)}"
        self.problem(at(path, key), "unknown key", hint=hint)
        return False

    def _misfit(self, schema: Plain | Several, value: object, path: str) -> None:
        # A string in the place of a list or table of keys is a key, more likely than not.
        hide = isinstance(schema, Several) or (isinstance(schema, Text) and schema.secret)
        self.problem(path, described(value, hide=hide), allowed=schema.expected)

    def _text(self, schema: Text, value: str, path: str) -> str | None:
        if not value and not schema.empty:
            self.problem(path, "an empty string", allowed=schema.expected)
            return None
        if schema.choices and value not in schema.choices:
            self.problem(path, quoted(value), allowed=listed(schema.choices), hint=nearest(value, schema.choices))
            return None
        return value

    def _number(self, schema: Number, value: float, path: str) -> float | None:
        if schema.whole and not isinstance(value, int):
            self._misfit(schema, value, path)
            return None
        if not schema.low <= value <= schema.high:
            bounds = f"{schema.expected} from {schema.low:g} to {schema.high:.0f}"
            self.problem(path, described(value), allowed=bounds)
            return None
        return value

    def _moment(self, schema: Moment, value: object, path: str) -> float | None:
        from datetime import UTC, date, datetime, time

        moment: object = value
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                moment = None
        if isinstance(moment, date) and not isinstance(moment, datetime):
            moment = datetime.combine(moment, time())
        if not isinstance(moment, datetime) or moment.year < 1970 or moment.year > 9998:
            self._misfit(schema, value, path)
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def _url(self, schema: UrlText, value: str, path: str) -> Url | None:
        if not value:
            if not schema.empty:
                self.problem(path, "an empty string", allowed=schema.expected)
            return None
        try:
            return parse_url(value, query=schema.query, login=schema.login)
        except ValueError as error:
            self.problem(path, str(error), allowed=schema.expected)
            return None


def described(value: object, *, hide: bool = False) -> str:
    """A value in words; with `hide`, its type only."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return "a string" if hide else f"the string {quoted(value)}" if value else "an empty string"
        case int() | float():
            return "a number" if hide or abs(value) >= 1e15 else f"the number {value}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case None:
            return "None"
    from datetime import date, time

    return "a date or time" if isinstance(value, date | time) else f"a value of the type {type(value).__name__}"
