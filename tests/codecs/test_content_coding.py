from __future__ import annotations

import gzip
import importlib
import random
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import content_coding
from agcore.codecs.content_coding import PIECE, CodingError, ContentDecoder, TooLong, available, codings, unknown
from tests.support.coded import CODED, bare_deflate, brotli, zstd
from tests.support.examples import examples

PLAIN: Final = random.Random(7).randbytes(2_000) + b"a" * 200_000 + b'{"end": true}'
FORMS: Final[Mapping[str, tuple[str, Callable[[bytes], bytes]]]] = {
    **{name: (name, code) for name, code in CODED.items()},
    "bare deflate": ("deflate", bare_deflate),
}


def decoded(names: tuple[str, ...], data: bytes, *, step: int = 0, limit: int = 1 << 30) -> bytes:
    """What a body stands for that comes in pieces of `step` bytes, or at once."""
    decoder, out = ContentDecoder(names, limit=limit), b""
    for start in range(0, len(data), step or len(data) or 1):
        for piece in decoder.feed(data[start : start + step] if step else data):
            assert 0 < len(piece) < 2 * PIECE
            out += piece
    decoder.end()
    return out


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", [0, 1, 1000])
def test_a_body_is_decoded_in_whatever_pieces_it_comes(form: str, step: int) -> None:
    name, code = FORMS[form]
    assert decoded((name,), code(PLAIN), step=step) == PLAIN


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("step", [0, 1])
def test_a_coded_body_may_stand_for_nothing(name: str, step: int) -> None:
    assert decoded((name,), CODED[name](b""), step=step) == b""
    assert decoded((name,), b"") == b""


@given(
    names=st.lists(st.sampled_from(sorted(CODED)), max_size=4), data=st.binary(max_size=300), step=st.integers(1, 40)
)
@examples(50)
def test_codings_in_a_row_are_undone_from_the_last_to_the_first(names: list[str], data: bytes, step: int) -> None:
    coded = data
    for name in names:
        coded = CODED[name](coded)
    assert decoded(tuple(names), coded, step=step) == data


def test_members_may_follow_each_other_as_their_formats_say() -> None:
    padded = gzip.compress(b"one ") + b"\0\0" + gzip.compress(b"two") + b"\0"
    assert decoded(("gzip",), padded) == decoded(("gzip",), padded, step=1) == b"one two"
    skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00note"  # RFC 8878 section 3.1.2
    frames = zstd.compress(b"one ") + skipped + zstd.compress(b"two")
    assert decoded(("zstd",), frames) == decoded(("zstd",), frames, step=1) == b"one two"


@pytest.mark.parametrize("form", FORMS)
def test_a_body_that_breaks_off_is_none(form: str) -> None:
    name, code = FORMS[form]
    for cut in (1, 5):
        with pytest.raises(CodingError, match=f"^breaks off within its {name}$"):
            decoded((name,), code(PLAIN)[:-cut])
    with pytest.raises(CodingError, match="breaks off"):
        decoded((name,), code(PLAIN)[:1])


@pytest.mark.parametrize("name", CODED)
def test_a_body_that_is_not_what_it_is_called_is_none(name: str) -> None:
    with pytest.raises(CodingError, match=f"^is no {name}: "):
        decoded((name,), b'{"model": "m", "messages": []}')


@pytest.mark.parametrize("form", FORMS)
def test_what_follows_a_whole_body_is_refused(form: str) -> None:
    name, code = FORMS[form]
    for step in (0, 1):
        with pytest.raises(CodingError):
            decoded((name,), code(PLAIN) + b"{}", step=step)


@pytest.mark.parametrize("name", CODED)
def test_a_bomb_is_found_before_it_has_gone_off(name: str) -> None:
    bomb, made = CODED[name](bytes(5_000_000)), 0
    decoder = ContentDecoder((name,), limit=1_000_000)

    def go_off() -> None:
        nonlocal made
        for piece in decoder.feed(bomb):
            made += len(piece)

    with pytest.raises(TooLong, match=r"^decodes to more than 1000000 bytes$"):
        go_off()
    assert made <= 1_000_000


def test_a_bomb_within_a_coding_is_found_too() -> None:
    # Ten million bytes of empty members decode to nothing at all.
    inner = gzip.compress(b"") * 60_000
    with pytest.raises(TooLong):
        decoded(("gzip", "zstd"), zstd.compress(inner), limit=1_000_000)


def test_a_frame_of_zstd_that_needs_more_memory_than_the_web_allows_is_refused() -> None:
    # RFC 9659: windows of at most 8 MB.
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 25})
    wide = compressor.compress(b"x" * 100) + compressor.flush()
    with pytest.raises(CodingError, match=r"^is no zstd: "):
        decoded(("zstd",), wide)


def test_the_codings_of_a_body_are_read_from_all_fields_by_any_of_their_names() -> None:
    fields = ((b"content-encoding", b"X-GZip , identity"), (b"accept", b"br"), (b"content-encoding", b",Zstd"))
    assert codings(fields) == ("gzip", "zstd")
    for nothing in ((), ((b"content-encoding", b""),), ((b"content-encoding", b" Identity, "),)):
        assert codings(nothing) == ()


def test_what_cannot_be_undone_is_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available() == ("gzip", "deflate", "zstd", "br")
    assert unknown(("gzip", "compress", "lzma")) == "compress"
    assert unknown(("gzip", "br")) is None

    def without(name: str) -> object:
        if name == "brotli":
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr(content_coding, "import_module", without)
    assert available() == ("gzip", "deflate", "zstd")
    assert unknown(("gzip", "br")) == "br"


def test_support_codes_what_it_says() -> None:
    assert zlib.decompress(CODED["deflate"](PLAIN)) == PLAIN
    assert brotli.decompress(CODED["br"](PLAIN)) == PLAIN
