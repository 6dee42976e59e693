"""What a JSON value says where it is of the kind that is looked for; nothing where it is of another.

For what a reader takes as it comes. Where the wrong kind is somebody's mistake, `fields` of a dialect say so.
"""

from __future__ import annotations

from collections.abc import Iterator


def text_of(value: object) -> str:
    """The text that a value is; empty for what is none."""
    return value if isinstance(value, str) else ""


def objects_of(value: object) -> list[dict[str, object]]:
    """The objects in a list; none for what is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def numbered(value: object) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects in a list, each with its `index`, or with its place where it has none."""
    for place, each in enumerate(value if isinstance(value, list) else ()):
        if isinstance(each, dict):
            index = each.get("index")
            yield index if isinstance(index, int) else place, each
