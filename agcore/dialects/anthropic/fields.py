"""Fields of an Anthropic client's request, checked.

What is of another type than its field raises `conversation.values.Invalid`, in the words of the API.
"""

from __future__ import annotations

from typing import Final

from agcore.conversation.values import Invalid

_EFFORTS: Final = frozenset(("low", "medium", "high", "xhigh", "max"))


def blocks(value: object, path: str) -> list[dict[str, object]]:
    """A list of objects."""
    if not isinstance(value, list):
        raise Invalid(f"{path}: Input should be a list", param=path)
    for at, block in enumerate(value):
        if not isinstance(block, dict):
            raise Invalid(f"{path}[{at}]: Input should be an object", param=f"{path}[{at}]")
    return value


def members(value: object, path: str) -> dict[str, object]:
    """An object; empty where there is none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"{path}: Input should be an object", param=path)
    return value


def kind_of(block: dict[str, object], path: str) -> str:
    """The type of a block."""
    return filled(block, "type", path)


def string(holder: dict[str, object], name: str, path: str) -> str:
    """A text that must be there."""
    value = holder.get(name)
    if not isinstance(value, str):
        raise Invalid(f"{path}.{name}: Input should be a string", param=f"{path}.{name}")
    return value


def filled(holder: dict[str, object], name: str, path: str) -> str:
    """A text that must be there and not be empty."""
    value = string(holder, name, path)
    if not value:
        raise Invalid(f"{path}.{name}: must not be empty", param=f"{path}.{name}")
    return value


def strings(value: object, path: str) -> list[str]:
    """A list of texts; empty where there is none."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Invalid(f"{path}: Input should be a list of strings", param=path)
    return value


def number(holder: dict[str, object], name: str) -> float | None:
    """A number, or None."""
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"{name}: Input should be a number", param=name)
    return value


def integer(holder: dict[str, object], name: str, prefix: str = "") -> int | None:
    """A whole number that is not negative, or None."""
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Invalid(f"{prefix}{name}: Input should be a whole number, 0 or more", param=f"{prefix}{name}")
    return value


def cache_of(block: dict[str, object]) -> str:
    """How long the prompt up to a block is to be cached, as a cache marker says; empty where there is none."""
    marker = block.get("cache_control")
    if not isinstance(marker, dict):
        return ""
    ttl = marker.get("ttl")
    return ttl if isinstance(ttl, str) and ttl else "default"


def read_effort(config: dict[str, object], path: str) -> str:
    """The effort in an `output_config`; empty where there is none."""
    effort = config.get("effort")
    if effort is None:
        return ""
    if not isinstance(effort, str) or effort not in _EFFORTS:
        raise Invalid(f"{path}.effort: Input should be low, medium, high, xhigh or max", param=f"{path}.effort")
    return effort
