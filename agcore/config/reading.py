"""The reading of one document against the schema.

`Reading.read` walks a document along the schema, once, and reports all that does not fit: unknown keys, wrong types,
values out of range. Values that fit come back converted (URLs taken apart, dates as epoch seconds). A value that does
not fit comes back as None in its place, so that checks of several keys still cover the rest of the file, and positions
in lists stay those of the file. TOML itself has no null, so None means nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agcore.codecs.url import Url, parse_url
from agcore.config.mistakes import glob_advice, list_advice
from agcore.config.problems import Problem, at, described, listed, nearest, quoted
from agcore.config.schema import (
    NOT_YET_IN_EFFECT,
    Flag,
    ListOf,
    MapOf,
    Moment,
    Number,
    OneOr,
    Plain,
    Schema,
    Several,
    Table,
    Text,
    UrlText,
)


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

    def question_globs(self, patterns: Iterable[str | None] | None, path: str) -> None:
        """Warn of what stands in a list of names and globs, at `path`, and is none of either."""
        for index, pattern in enumerate(patterns or ()):
            if pattern is not None:
                self.question_glob(pattern, at(path, index))

    def question_glob(self, pattern: str, path: str) -> None:
        """Warn of a name or glob, at `path`, that is none."""
        if advice := glob_advice(pattern):
            self.warn(path, f"{quoted(pattern)} {advice}")
        elif advice := list_advice(pattern):
            self.warn(path, f"{quoted(pattern)} is one name; {advice}")

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
                    if self._known(key, keys, path, pattern)
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

    def _known(self, key: str, keys: Mapping[str, Schema], path: str, pattern: str) -> bool:
        if key in keys:
            return True
        from agcore.config.misnomers import KEYS, meant  # for what is wrong anyway

        hint = meant(KEYS.get(pattern, {}), key) or nearest(key, keys) or f"allowed: {', '.join(keys)}"
        self.problem(at(path, key), "unknown key", hint=hint)
        return False

    def _misfit(self, schema: Plain | Several, value: object, path: str) -> None:
        # A string in the place of a list or table of keys is a key, more likely than not.
        hide = isinstance(schema, Several) or (isinstance(schema, Text) and schema.secret)
        hint = "several, or one, stand in brackets" if isinstance(schema, ListOf) and isinstance(value, str) else ""
        self.problem(path, described(value, hide=hide), allowed=schema.expected, hint=hint)

    def _text(self, schema: Text, value: str, path: str) -> str | None:
        if not value and not schema.empty:
            self.problem(path, "an empty string", allowed=schema.expected)
            return None
        if schema.choices and value not in schema.choices:
            from agcore.config.misnomers import CHOICES, meant

            parts = [part.strip() for part in value.split(",")]
            hint = list_advice(value) if all(part in schema.choices for part in parts) else ""
            hint = hint or meant(CHOICES.get(schema.expected, {}), value) or nearest(value, schema.choices)
            self.problem(path, quoted(value), allowed=listed(schema.choices), hint=hint)
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
            return parse_url(value, query=schema.query, login=schema.login, proxy=schema.proxy)
        except ValueError as error:
            self.problem(path, str(error), allowed=schema.expected)
            return None
