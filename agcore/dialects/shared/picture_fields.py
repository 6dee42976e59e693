"""The words for the shape and the size of pictures, which clients of all dialects share.

`auto` is the same as nothing: the choice is the model's.
"""

from __future__ import annotations

import re
from typing import Final

from agcore.conversation.values import Invalid

RESOLUTIONS: Final = ("512", "1K", "2K", "4K")
LONGEST_EDGE: Final = 16_384
"""Pixels; no model comes near it."""
_PIXELS: Final = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
_RATIO: Final = re.compile(r"[1-9][0-9]?:[1-9][0-9]?")
_QUOTED: Final = 64


def is_pixels(value: str) -> bool:
    """Whether a text is `WIDTHxHEIGHT`, within bounds."""
    match = _PIXELS.fullmatch(value)
    return match is not None and max(int(match[1]), int(match[2])) <= LONGEST_EDGE


def is_ratio(value: str) -> bool:
    """Whether a text is `W:H`."""
    return _RATIO.fullmatch(value) is not None


def read_pixels(value: str, path: str) -> str:
    """A size in pixels, or nothing. Raises `Invalid` for another text."""
    return _checked(value, path, is_pixels(value), "a size in pixels such as `1024x1024`")


def read_ratio(value: str, path: str) -> str:
    """An aspect ratio, or nothing. Raises `Invalid` for another text."""
    return _checked(value, path, is_ratio(value), "a ratio such as `16:9`")


def read_resolution(value: str, path: str) -> str:
    """One of `RESOLUTIONS`, or nothing. Raises `Invalid` for another text."""
    upper = value.upper()
    return _checked(upper, path, upper in RESOLUTIONS, f"one of {', '.join(RESOLUTIONS)}")


def _checked(value: str, path: str, valid: bool, wanted: str) -> str:
    if value.lower() in ("", "auto"):
        return ""
    if not valid:
        raise Invalid(f"`{path}` must be {wanted}; it is {value[:_QUOTED]!r}", param=path)
    return value
