"""Bodies in the content codings that agcore undoes, made by the packages themselves."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

brotli: Final[Any] = import_module("brotli")
zstd: Final[Any] = import_module("backports.zstd")


def bare_deflate(data: bytes) -> bytes:
    """Deflate without zlib's head and tail, as many programs send it under that name."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


CODED: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "zstd": zstd.compress,
    "br": brotli.compress,
}
"""Coding -> what codes a body so."""
