"""Where a page of a list of models begins, as clients ask for it. What is wrong raises ValueError, for a 400."""

from __future__ import annotations

from collections.abc import Sequence

from agcore.codecs.request_target import RequestTarget
from agcore.models.listing import ListedModel

_DIGITS = 9


def index_of(models: Sequence[ListedModel], model_id: str, parameter: str) -> int:
    """The place of a model in a list; `parameter` named it."""
    for index, model in enumerate(models):
        if model.id == model_id:
            return index
    raise ValueError(f"{parameter}: does not name a model of this list")


def whole_number(target: RequestTarget, name: str, *, default: int) -> int:
    """A number of the query; `default` where it has none."""
    text = target.first(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise ValueError(f"{name}: expected a whole number, found {text!r}")
    return int(text)
