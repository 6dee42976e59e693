"""The types of requests that official SDKs have, taken apart: every member, in the smallest request that has it.

`members(type, whole)` walks TypedDicts and pydantic models, every alternative of every union in them. For each member it
gives two requests that differ in that member alone. What a reader makes of both must differ, or the reader must say so.
"""

from __future__ import annotations

import base64
import collections.abc
import functools
import re
import types
import typing
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

import typing_extensions
from google.genai import types as google
from pydantic import BaseModel

PNG: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n.").decode()
OTHER_PNG: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n..").decode()
VALUES: Final[Mapping[str, tuple[Any, Any]]] = {
    "data": (PNG, OTHER_PNG),
    "url": ("https://a.example/x.png", "https://a.example/y.png"),
    "file_uri": ("https://a.example/x.png", "https://a.example/y.png"),
    "image_url": ("https://a.example/x.png", "https://a.example/y.png"),
    "file_url": ("https://a.example/x.pdf", "https://a.example/y.pdf"),
    "file_data": ("data:application/pdf;base64,JVBERi0xLjQK", "data:application/pdf;base64,JVBERi0xLjUK"),
    "mime_type": ("image/png", "image/gif"),
    "response_mime_type": ("application/json", "text/plain"),
    "response_modalities": ("IMAGE", "AUDIO"),
    "language": ("en", "de"),
    "languages": ("en", "de"),
    "aspect_ratio": ("16:9", "1:1"),
    "image_size": ("1K", "2K"),
    "size": ("1024x1024", "512x512"),
    "media_type": ("image/png", "image/gif"),
}
"""What members of these names hold, where any text will not do: values that differ."""
TOOLS: Final = tuple({"type": "function", "name": name, "function": {"name": name}} for name in ("f", "g"))
"""Tools that a choice names, in either form of OpenAI's."""

INSTEAD: Final[Mapping[str, Any]] = {
    "GenerateContentConfig.systemInstruction": google.Content,
    "GenerateContentConfig.tools": list[google.Tool],
    "GenerateContentConfig.responseSchema": google.Schema,
    "GenerateContentConfig.httpOptions": None,
    "GenerateContentConfig.shouldReturnHttpResponse": None,
    "GenerateContentConfig.automaticFunctionCalling": None,
}
"""What goes over the wire where the SDK takes more than that; None for what it keeps to itself."""
ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    "SystemMessageParam": ("content",),
    "FileFile": ("file_data",),
    "ResponseInputImageParam": ("image_url",),
    "ResponseInputImageContentParam": ("image_url",),
    "ResponseInputFileParam": ("file_data",),
    "ResponseInputFileContentParam": ("file_data",),
    "FunctionCallOutput": ("call_id",),
    "ToolSearchCall": ("call_id",),
    "Blob": ("data", "mime_type"),
    "FunctionResponseBlob": ("data", "mime_type"),
    "FileData": ("file_uri",),
    "FunctionResponseFileData": ("file_uri",),
    "FunctionCall": ("name",),
    "FunctionDeclaration": ("name",),
    "FunctionResponse": ("name",),
}
"""Members that the vendor demands, though the type does not: one of several, or all."""

_REQUIRED: Final = (typing.Required, typing_extensions.Required)
_OPTIONAL: Final = (typing.NotRequired, typing_extensions.NotRequired)
_VARIANTS: Final = 4
_UPPER: Final = re.compile("[A-Z]")
_EMPTY: Final[tuple[Any, ...]] = ({}, [{}])
"""Values that say nothing, but for what they may hold."""


class Difference(NamedTuple):
    """Requests that differ in one member."""

    path: str
    name: str
    """Of the member."""
    without: Any
    given: tuple[Any, ...]
    """With one value or other of it: where one is the default, another one is not."""


Whole = Callable[[Any], Any]
"""The request around a value."""
Walk = Generator[Difference, bool | None, None]
"""Sent False, it looks no further into the member that it gave last."""


def members(kind: Any, whole: Whole, path: str = "", inside: tuple[Any, ...] = ()) -> Walk:
    """Every member of an object type, at any depth.

    Args:
        kind: A TypedDict or a model.
        whole: Makes the request around a value of it.
        path: Where that value stands.
        inside: The types that it stands in: none is entered twice.
    """
    if kind in inside:
        return
    least = sample(kind)
    for name, hint, required in fields(kind):
        here = f"{path}.{name}" if path else name

        def around(value: Any, name: str = name) -> Any:
            return whole({**least, name: value})

        alternatives = choices(hint)
        for at, each in enumerate(alternatives):
            values = [sample(each, name, variant) for variant in range(_VARIANTS)]
            if required:
                without, values = around(least[name]), [value for value in values if value != least[name]]
            else:
                without = whole(least)
            further = None
            if any(value not in _EMPTY for value in values):
                shown = f"{here}|{titled(each)}" if at else here
                further = yield Difference(shown, name, without, tuple(around(value) for value in values))
            if further is not False:
                yield from _inside(each, name, around, here, (*inside, kind))


def _inside(kind: Any, name: str, around: Whole, path: str, inside: tuple[Any, ...]) -> Walk:
    item = item_of(kind)
    if item is not None:
        alternatives = choices(item)
        first = sample(alternatives[0], name)
        for each in alternatives:
            here = f"{path}[{titled(each)}]"
            further = None
            if each is not alternatives[0]:
                given = tuple(around([first, sample(each, name, variant)]) for variant in range(_VARIANTS))
                further = yield Difference(here, name, around([first]), given)
            if further is not False:
                yield from _inside(each, name, lambda value: around([value]), here, inside)
    elif is_object(kind):
        yield from members(kind, around, f"{path}<{titled(kind)}>", inside)


def titled(kind: Any) -> str:
    """The name of a type, for people, which betas share with what they become."""
    return str(getattr(kind, "__name__", kind)).removeprefix("Beta")


def choices(hint: Any) -> list[Any]:
    """The alternatives of a type, without None and the marks around them."""
    hint = bare(hint)
    if get_origin(hint) in (typing.Union, types.UnionType):
        return [each for part in get_args(hint) for each in choices(part) if each is not type(None)]
    return [hint]


def bare(hint: Any) -> Any:
    """A type without marks around it."""
    while True:
        origin = get_origin(hint)
        if origin in (*_REQUIRED, *_OPTIONAL, typing.Annotated):
            hint = get_args(hint)[0]
        elif titled(type(hint)) == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def item_of(kind: Any) -> Any:
    """What a list type holds; None for any other type."""
    origin = get_origin(kind)
    listed = origin in (list, collections.abc.Iterable, collections.abc.Sequence) or titled(origin) == "SequenceNotStr"
    return get_args(kind)[0] if listed else None


def is_object(kind: Any) -> bool:
    """Whether a type is a TypedDict or a model."""
    return typing_extensions.is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, BaseModel))


@functools.cache
def fields(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    """The members of an object type: the name on the wire, the type, whether it is required."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return tuple(_model_fields(kind))
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    return tuple((name, hint, _demanded(kind, name, hint)) for name, hint in hints.items())


def _model_fields(kind: type[BaseModel]) -> Iterator[tuple[str, Any, bool]]:
    for own, field in kind.model_fields.items():
        name = field.alias or own
        hint = INSTEAD.get(f"{titled(kind)}.{name}", field.annotation)
        if hint is not None:
            yield name, hint, field.is_required() or own in ALSO.get(titled(kind), ())


def _demanded(kind: Any, name: str, hint: Any) -> bool:
    if name in ALSO.get(titled(kind), ()):
        return True
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return _demanded(kind, name, get_args(hint)[0])
    return origin in _REQUIRED or (origin not in _OPTIONAL and name in kind.__required_keys__)


def sample(hint: Any, name: str = "", variant: int = 0, depth: int = 0) -> Any:
    """The smallest value of a type; another one for another `variant`, where there is one."""
    kind = choices(hint)[0]
    held = VALUES.get(_UPPER.sub(lambda found: "_" + found[0].lower(), name))
    if held is not None and kind is str:
        return held[variant % 2]
    if name == "tools" and get_origin(kind) is dict:
        return TOOLS[variant % 2]
    origin = get_origin(kind)
    if origin is Literal:
        words = get_args(kind)
        return words[variant % len(words)]
    item = item_of(kind)
    if item is not None:
        return [sample(item, name, variant, depth + 1)] if depth < 12 else []
    if origin in (dict, collections.abc.Mapping) or kind in (dict, object, Any):
        return {"k": f"v{variant}"} if kind is not object else f"o{variant}"
    if is_object(kind):
        return {each: sample(inner, each, variant, depth + 1) for each, inner, required in fields(kind) if required}
    if kind is bool:
        return variant % 2 == 0
    if kind is int:
        return 1 + variant
    if kind is float:
        return 0.25 + variant / 4
    if kind is bytes:
        return VALUES["data"][variant % 2]
    if isinstance(kind, type) and issubclass(kind, str) and kind is not str:  # an enumeration
        words = list(kind)  # type: ignore[call-overload]
        return words[(variant + 1) % len(words)].value
    return f"x{variant}"
