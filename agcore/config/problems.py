"""What is wrong with a configuration, in words.

A problem shows nothing of a URL, nor of a value that stands where a secret belongs.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


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

    known = {each.lower(): each for each in names}
    near = get_close_matches(name.lower()[:80], known, 1)
    return f"did you mean {quoted(known[near[0]])}?" if near else ""


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
