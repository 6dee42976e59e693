"""Fields of a request to the demo provider, read strictly: a wrong type is a `Refused`, which becomes a 400."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeVar

from agcore.demo.wire import Json

_T = TypeVar("_T", str, bool, Json, list[object])

_LONGEST_NAME: Final = 256
_KINDS: Final[dict[type, str]] = {str: "a string", bool: "true or false", dict: "an object", list: "an array"}
_NOTHING: Final = "(nothing)"


class Refused(Exception):
    """The request gets an error answer, with `code`, `param` and `details` where the dialect has room for them."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        details: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.message: Final = message
        self.status: Final = status
        self.code: Final = code
        self.param: Final = param
        self.details: Final = details


def field(body: Json, name: str, kind: type[_T], default: _T) -> _T:
    """`body[name]`, or `default` where it is absent or null."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise Refused(f"'{name}' must be {_KINDS[kind]}.", param=name)
    return value


def objects(body: Json, name: str) -> list[Json]:
    """A list of objects, empty where the field is absent."""
    found: list[Json] = []
    for value in field(body, name, list, []):
        if not isinstance(value, dict):
            raise Refused(f"'{name}' must hold objects only.", param=name)
        found.append(value)
    return found


def needed(body: Json, name: str) -> list[Json]:
    """A list of at least one object."""
    found = objects(body, name)
    if not found:
        raise Refused(f"'{name}' must not be empty.", param=name)
    return found


def name_of(body: Json, name: str) -> str:
    """A string that must be there and be of sensible length."""
    value = field(body, name, str, "")
    if not 0 < len(value) <= _LONGEST_NAME:
        raise Refused(f"'{name}' must be a string of 1 to {_LONGEST_NAME} characters.", param=name)
    return value


def integer_of(body: Json, name: str) -> int | None:
    """A whole number, None where it is absent; reads `8`, `8.0` and, for Google's 64-bit integers, `"8"`."""
    value = body.get(name)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise Refused(f"'{name}' must be an integer.", param=name)


def limit_of(body: Json, *names: str) -> int | None:
    """The first token limit among `names`; zero and less are none, as several clients mean it."""
    limits = [integer_of(body, name) for name in names]
    return next((limit for limit in limits if limit is not None and limit > 0), None)


def count_of(body: Json, name: str, most: int) -> int:
    """The number under `name`, from 1 to `most`; 1 where there is none."""
    count = integer_of(body, name)
    if count is None:
        return 1
    if not 1 <= count <= most:
        raise Refused(f"'{name}' must be between 1 and {most}.", param=name)
    return count


def texts_of(content: object) -> list[str]:
    """The texts of a message's content: a string, a part, or a list of parts of which some are text."""
    if content is None:
        return []
    parts = content if isinstance(content, list) else [content]
    found = []
    for part in parts:
        text = part.get("text", "") if isinstance(part, dict) else part
        if not isinstance(text, str):
            raise Refused("Content must be a string or a list of parts.")
        found.append(text)
    return [text for text in found if text.strip()]


def said_in(messages: Iterable[Json], member: str = "content") -> str:
    """The last text of the last message of the user; clients put reminders of their own before it."""
    users = [message for message in messages if field(message, "role", str, "user") == "user"]
    texts = texts_of(users[-1].get(member)) if users else []
    return texts[-1] if texts else _NOTHING


def last_of(messages: list[Json]) -> Json:
    """The last message that is not an instruction."""
    rest = [message for message in messages if field(message, "role", str, "") not in ("system", "developer")]
    return rest[-1] if rest else {}


def joined_text(content: object) -> str:
    """All texts of a message's content in one line."""
    return " ".join(texts_of(content)) or _NOTHING


def tokens(body: Json, *names: str) -> int:
    """Count the words in all strings of the named fields, however deep: at least one."""
    total, stack = 0, [body.get(name) for name in names]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            total += len(value.split())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
    return max(total, 1)
