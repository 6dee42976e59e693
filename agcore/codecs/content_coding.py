"""Content codings of bodies: gzip, deflate, zstd and br, undone piece by piece (RFC 9110 section 8.4).

What is decoded may be a thousand times as large as what came, so nothing is ever decoded at once: pieces of at most
`PIECE` bytes are handed out one by one, and a bound holds at each coding of several. A coding whose package is not
installed is not `available` (docs/decisions/0027-codings-are-undone-in-the-core.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Final, Protocol

from agcore.protocol.http import Headers

PIECE: Final = 64 * 1024
"""Bytes that are decoded at a time, more or less."""
MOST: Final = 5
"""Codings that a body may have at once; curl takes as many."""
WINDOW_LOG: Final = 23
"""The largest window of zstd as a power of two: what RFC 9659 allows on the wire, and all that is held for it."""

_ALIASES: Final = {"x-gzip": "gzip", "x-deflate": "deflate"}
_MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "gzip": ("zlib",),
    "deflate": ("zlib",),
    "zstd": ("compression.zstd", "backports.zstd"),
    "br": ("brotli",),
}
"""Coding -> the modules that know it, the first that is there."""


class CodingError(ValueError):
    """A body that is not what its coding says. The message goes on after the subject: `is no gzip: ...`."""


class TooLong(ValueError):
    """A body that decodes to more than the bound."""


def codings(headers: Headers) -> tuple[str, ...]:
    """The codings of a body in the order in which they were applied, by their usual names, without `identity`."""
    names = [
        name.strip().lower()
        for field, value in headers
        if field == b"content-encoding"
        for name in value.decode("latin-1").split(",")
    ]
    return tuple(_ALIASES.get(name, name) for name in names if name not in ("", "identity"))


def available() -> tuple[str, ...]:
    """The codings that are taken here, by their usual names."""
    return tuple(name for name in _MODULES if _module(name) is not None)


def unknown(names: Sequence[str]) -> str | None:
    """The first of some codings that is not taken here; None where all are."""
    return next((name for name in names if name not in _MODULES or _module(name) is None), None)


class ContentDecoder:
    """Undoes the codings of one body.

    Args:
        names: The codings in the order in which they were applied; all of them are `available`.
        limit: Bytes that the body, and what each of its codings stands for, may have.
        piecewise: The bound is not that of the whole body, but of what each piece that is fed stands for.
    """

    def __init__(self, names: Sequence[str], *, limit: int, piecewise: bool = False) -> None:
        self._stages = [_Stage(name, limit) for name in reversed(names)]
        self._piecewise = piecewise

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that a further piece of the coded body stands for. Read all of them before the next one.

        Raises:
            CodingError: The body is broken.
            TooLong: The bound is passed.
        """
        if self._piecewise:
            for stage in self._stages:
                stage.size = 0
        return self._undone(data, 0)

    def end(self) -> None:
        """The body ended. Raises CodingError where that came too early; a body without a byte is whole."""
        for stage in self._stages:
            stage.end()

    def _undone(self, data: bytes, number: int) -> Iterator[bytes]:
        if number == len(self._stages):
            yield data
            return
        for piece in self._stages[number].feed(data):
            yield from self._undone(piece, number + 1)


class _Engine(Protocol):
    """One member of a coded body: it may be followed by another one of the same coding."""

    over: bool
    """The member is complete."""
    rest: bytes
    """What came behind it."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decoded pieces, none of which is empty."""


class _Stage:
    """One coding of a body."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self.size = 0
        self._make, self._follows = _ENGINES[name]
        module = _module(name)
        assert module is not None
        self._module = module
        self._engine: _Engine | None = None
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._engine is None:
                data = data.lstrip(b"\0") if self._members and self._name == "gzip" else data  # padding, as on tapes
                if not data:
                    return
                if self._members and not self._follows:
                    raise CodingError(f"goes on behind the end of its {self._name}")
                self._engine = self._make(self._module)
            yield from self._decoded(self._engine, data)
            data = b""
            if self._engine.over:
                data, self._engine = self._engine.rest, None
                self._members += 1

    def end(self) -> None:
        if self._engine is not None:
            raise CodingError(f"breaks off within its {self._name}")

    def _decoded(self, engine: _Engine, data: bytes) -> Iterator[bytes]:
        pieces = engine.feed(data)
        while True:
            try:
                piece = next(pieces, None)
            except Exception as error:  # each package has an exception of its own
                raise CodingError(f"is no {self._name}: {error}") from None
            if piece is None:
                return
            self.size += len(piece)
            if self.size > self._limit:
                raise TooLong(f"decodes to more than {self._limit} bytes")
            yield piece


class _Zlib:
    """A member of gzip, or a whole deflate body: with zlib's head as RFC 9110 has it, or bare as many send it."""

    def __init__(self, zlib: Any, *, gzip: bool) -> None:
        self.over = False
        self.rest = b""
        self._zlib = zlib
        self._inflate: Any = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzip else None
        self._head = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            # RFC 1950 section 2.2: the method is 8, and both bytes together are a multiple of 31.
            wrapped = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._inflate = self._zlib.decompressobj(self._zlib.MAX_WBITS if wrapped else -self._zlib.MAX_WBITS)
        inflate = self._inflate
        while True:
            piece = inflate.decompress(data, PIECE)
            data = inflate.unconsumed_tail
            if piece:
                yield piece
            if inflate.eof:
                self.over, self.rest = True, inflate.unused_data
                return
            if not data and len(piece) < PIECE:
                return


class _Zstd:
    """A frame of zstd."""

    def __init__(self, zstd: Any) -> None:
        self.over = False
        self.rest = b""
        self._decompress: Any = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})

    def feed(self, data: bytes) -> Iterator[bytes]:
        engine = self._decompress
        while True:
            piece = engine.decompress(data, PIECE)
            data = b""
            if piece:
                yield piece
            if engine.eof:
                self.over, self.rest = True, engine.unused_data
                return
            if engine.needs_input:
                return


class _Brotli:
    """A whole br body; nothing may follow it."""

    def __init__(self, brotli: Any) -> None:
        self.over = False
        self.rest = b""
        self._decompress: Any = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        engine = self._decompress
        while True:
            piece = engine.process(data, output_buffer_limit=PIECE)
            data = b""
            if piece:
                yield piece
            if engine.is_finished():
                self.over = True
                return
            if not piece and engine.can_accept_more_data():
                return


_ENGINES: Final[Mapping[str, tuple[Callable[[ModuleType], _Engine], bool]]] = {
    "gzip": (lambda zlib: _Zlib(zlib, gzip=True), True),
    "deflate": (lambda zlib: _Zlib(zlib, gzip=False), False),
    "zstd": (_Zstd, True),
    "br": (_Brotli, False),
}
"""Coding -> what undoes a member of it, and whether another member may follow."""


def _module(coding: str) -> ModuleType | None:
    """The module that knows a coding; None where it is not installed."""
    for name in _MODULES[coding]:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
