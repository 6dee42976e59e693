"""How fast does `agcore.codecs.sse.Decoder` read an event stream, next to what one would write without it?

Three readers take the same streams, cut into the same pieces, in turn: agcore's decoder; a line decoder as clients have
it (bytes to text, text to lines, lines to events with their name, id and data); and a bare split at `\\n\\n`, which is
no decoder (it knows neither `\\r`, nor comments, nor a data field of several lines) but shows what finding the ends
alone costs. All three must find the same data. agcore's also keeps each frame's exact bytes and bounds what it holds,
which the others do not.

    python benchmarks/sse_decode.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import codecs
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from processes import ROOT, machine_line

sys.path.insert(0, str(ROOT))

from agcore.codecs.sse import Decoder  # this checkout's, not an installed one

Reader: TypeAlias = Callable[[list[bytes]], Sequence[bytes | str]]
"""The pieces of a stream -> the data of its events, as the reader has them: bytes or text."""

LINE_END: Final = re.compile(r"\r\n|\r|\n")


def read_agcore(pieces: list[bytes]) -> list[bytes]:
    decoder = Decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    return [frame.data for frame in frames if frame.data is not None]


def text_lines(pieces: list[bytes]) -> Iterator[str]:
    """Decodes pieces incrementally and yields complete lines without their ends."""
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    unfinished: list[str] = []
    for piece in pieces:
        text = decode(piece)
        if text.endswith("\r"):
            raise ValueError("this reader wants pieces that do not end in a carriage return")
        first, *rest = LINE_END.split(text)
        unfinished.append(first)
        for line in rest:
            yield "".join(unfinished)
            unfinished = [line]


class Event(NamedTuple):
    """What the line decoder makes of a frame."""

    data: str
    event: str
    id: str


def read_lines(pieces: list[bytes]) -> list[str]:
    events: list[Event] = []
    data: list[str] = []
    event = last_id = ""
    for line in text_lines(pieces):
        if not line:
            if data:
                events.append(Event("\n".join(data), event, last_id))
            data, event = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id":
            last_id = value
    return [found.data for found in events]


def read_split(pieces: list[bytes]) -> list[bytes]:
    events: list[bytes] = []
    buffer = b""
    for piece in pieces:
        buffer += piece
        if b"\n\n" in buffer:
            *frames, buffer = buffer.split(b"\n\n")
            events += [frame.partition(b"data: ")[2] for frame in frames]
    return events


READERS: Final[dict[str, Reader]] = {"agcore": read_agcore, "lines": read_lines, "split": read_split}


def chat_frames(count: int) -> list[bytes]:
    """Returns the frames of a chat completion stream, about 180 bytes each, all ASCII."""
    frames = []
    for number in range(count):
        choice = {"index": 0, "delta": {"content": f"token {number}"}, "finish_reason": None}
        chunk = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "model": "bench-model", "choices": [choice]}
        frames.append(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n")
    return [*frames, b"data: [DONE]\n\n"]


def named_frames(count: int) -> list[bytes]:
    """Returns frames with `event:` lines as Anthropic's streams have them, about 140 bytes each, none all ASCII."""
    frames = []
    for number in range(count):
        delta = {"type": "text_delta", "text": f"token {number} ü"}
        event = {"type": "content_block_delta", "index": 0, "delta": delta}
        frames.append(b"event: content_block_delta\ndata: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")
    return frames


def cut(frames: list[bytes], size: int) -> list[bytes]:
    """Returns the stream of `frames` in pieces of `size` bytes; 0 stands for a frame a piece."""
    stream = b"".join(frames)
    return [stream[at : at + size] for at in range(0, len(stream), size)] if size else frames


def time_reader(reader: Reader, pieces: list[bytes], expected: list[bytes]) -> float:
    """Returns the seconds that `reader` takes; raises SystemExit when it does not find what is there."""
    start = time.perf_counter()
    found = reader(pieces)
    took = time.perf_counter() - start
    if [data.encode() if isinstance(data, str) else data for data in found] != expected:
        raise SystemExit(f"a reader found {len(found)} events, not the {len(expected)} that are there")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    chat, named = chat_frames(5000), named_frames(5000)
    image = [b'data: {"b64_json":"' + b"QUJD" * 1024 * 1024 + b'"}\n\n'] * 4
    streams = {
        "chat, a frame a piece": (chat, 0),
        "chat, 16 kB pieces": (chat, 16384),
        "chat, 50-byte pieces": (chat, 50),
        "named events, a frame a piece": (named, 0),
        "named events, 16 kB pieces": (named, 16384),
        "lines of 4 MB, 64 kB pieces": (image, 65536),
    }
    print(machine_line())
    print(f"\nframes per second, medians of {options.rounds} rounds; ratios taken round by round")
    print(f"{'':<32}{'agcore':>10}{'lines':>10}{'split':>10}{'agcore/lines':>15}{'agcore/split':>15}")
    for name, (frames, size) in streams.items():
        pieces = cut(frames, size)
        expected = [frame.partition(b"data: ")[2].removesuffix(b"\n\n") for frame in frames]
        rounds = [
            [len(expected) / time_reader(reader, pieces, expected) for reader in READERS.values()]
            for _ in range(options.rounds)
        ]
        medians = "".join(f"{statistics.median(rates):>10.0f}" for rates in zip(*rounds, strict=True))
        lines = statistics.median(agcore / lines for agcore, lines, _ in rounds)
        split = statistics.median(agcore / split for agcore, _, split in rounds)
        print(f"{name:<32}{medians}{lines:>15.2f}{split:>15.2f}")


if __name__ == "__main__":
    main()
