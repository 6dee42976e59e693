"""A configuration as it was written, TOML text or a dict, as one kind of document: dicts, lists and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agcore.config.problems import ConfigError, Problem, at


def read_document(source: str | Mapping[str, Any]) -> dict[str, Any]:
    """The document in the form that TOML's has: tables as dicts, arrays as lists, strings as names.

    Args:
        source: TOML text, or a mapping whose tuples count as lists. It is copied; what is no TOML value in it stays,
            for the schema to refuse by its path.

    Raises:
        ConfigError: It is not valid TOML, has names that are not strings, or is nested too deeply.
        TypeError: It is neither text nor a mapping.
    """
    if isinstance(source, str):
        return _read_toml(source)
    if not isinstance(source, Mapping):
        raise TypeError(f"a configuration is TOML text or a dict, not {type(source).__name__}")
    problems: list[Problem] = []
    try:
        document = _copied_table(source, problems, "")
    except RecursionError:
        problems.append(Problem("the configuration", "nested too deeply"))
    if problems:
        raise ConfigError(problems)
    return document


def _copied_table(table: Mapping[Any, object], problems: list[Problem], path: str) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, member in table.items():
        if isinstance(name, str):
            document[name] = _copied(member, problems, at(path, name))
        else:
            where = path or "the configuration"
            problems.append(Problem(where, f"a name of the type {type(name).__name__}", "strings as names"))
    return document


def _copied(value: object, problems: list[Problem], path: str) -> object:
    if isinstance(value, Mapping):
        return _copied_table(value, problems, path)
    if isinstance(value, list | tuple):
        return [_copied(member, problems, at(path, index)) for index, member in enumerate(value)]
    return value


def _read_toml(text: str) -> dict[str, Any]:
    # Imported here: without a text, it is never needed.
    import tomllib

    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        from agcore.config.mistakes import bare_string, other_format

        what, _, where = str(error).rpartition(" (at ")
        if not where.startswith("line"):
            where = f"line {text.count(chr(10)) + 1}, column {len(text) - text.rfind(chr(10))}"
        where = where.rstrip(")")
        if kind := other_format(text):
            hint = 'TOML has lines such as port = 8045 and keys = ["env:NAME"] below [proxy] and [[providers]]'
            raise ConfigError([Problem(where, f"not valid TOML: this looks like {kind}", hint=hint)]) from None
        number = where.removeprefix("line ").partition(",")[0]
        line = (text.splitlines() or [""])[min(int(number), len(text.splitlines()) or 1) - 1]
        hint = "strings stand in quotes" if bare_string(line) else ""
        raise ConfigError([Problem(where, f"not valid TOML: {what}", hint=hint)]) from None
    except ValueError:
        raise ConfigError([Problem("the file", "not valid TOML: a number with too many digits")]) from None
    except RecursionError:
        raise ConfigError([Problem("the file", "not valid TOML: nested too deeply")]) from None
