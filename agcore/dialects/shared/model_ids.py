"""The ids in a provider's own list of models, whichever vendor's shape it has.

Vendors write their lists in few shapes: OpenAI and Anthropic have `data` with an `id` in each entry, Google has
`models` with a `name`, and some who follow OpenAI send the bare array. What an answer holds beyond that is not needed,
and an answer of another shape is no list, never an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from agcore.codecs import json_text

MAX_IDS: Final = 2000
"""Ids of one list that are kept."""
MAX_ID_LENGTH: Final = 256

_SERVED: Final = frozenset({"generateContent", "embedContent", "predict"})
"""Google's models that have methods, but none of these, can be reached by no route of the gateway."""


def read_ids(body: bytes) -> tuple[str, ...] | None:
    """The ids of a provider's list, each once and in its order; None for what is no model list.

    Left out are ids that are no printable text or longer than `MAX_ID_LENGTH`, and what comes after `MAX_IDS`.
    """
    try:
        value = json_text.decode(body)
    except ValueError:
        return None
    if isinstance(value, dict):
        value = value.get("data", value.get("models"))
    if not isinstance(value, list):
        return None
    return tuple(islice(dict.fromkeys(_ids(value)), MAX_IDS))


def _ids(entries: list[object]) -> Iterator[str]:
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        id = entry.get("id")
        if id is None and isinstance(name := entry.get("name"), str):
            id = name.removeprefix("models/")
        methods = entry.get("supportedGenerationMethods")
        if isinstance(methods, list) and not any(isinstance(each, str) and each in _SERVED for each in methods):
            continue
        if isinstance(id, str) and 0 < len(id) <= MAX_ID_LENGTH and id.isprintable():
            yield id
