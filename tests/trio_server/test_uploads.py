"""Requests whose bodies do not stay in memory: streamed upstream as they come, or put aside in a temporary file."""

from __future__ import annotations

import errno
import hashlib
import tracemalloc
from collections.abc import Iterator
from typing import IO, Any

import pytest
import trio
import trio.testing

from agcore.config.values import Config, Timeouts
from agcore.protocol.effects import (
    AbortUpstream,
    DropSpool,
    Effect,
    EndUpstream,
    Finish,
    OpenUpstream,
    ReadSpool,
    SendUpstream,
    Spool,
)
from agcore.protocol.http import Patch, Spooled, Streamed, UpstreamRequest
from agcore.protocol.inputs import (
    ClientGone,
    DrainRequested,
    FileRead,
    FileRefused,
    Input,
    RequestBroken,
    RequestData,
    RequestEnd,
    Sent,
    SpoolFailed,
    Stage,
    UpstreamConnected,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from agcore_host import spool
from tests.trio_server.toys import (
    ORIGIN,
    RelayExchange,
    Upstreams,
    answer,
    bench,
    mark,
    read_request,
)

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig"
CHUNKED = b"POST /up HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


def sized(length: int) -> bytes:
    return b"POST /up HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % length


class UploadExchange(RelayExchange):
    """Opens the leg with the first piece of the body and passes the others on as they come."""

    def handle(self, input: Input, now: float) -> list[Effect]:
        match input:
            case RequestData(data) if not self.opened:
                self.opened = True
                self.wants_request = False
                framing = tuple(
                    field for field in self.head.headers if field[0] in (b"content-length", b"transfer-encoding")
                )
                headers = ((b"host", b"upstream.test"), *framing)
                return [OpenUpstream(1, UpstreamRequest(ORIGIN, "POST", b"/up", headers, Streamed(data)))]
            case UpstreamConnected():
                self.wants_request = True
                return []
            case RequestData(data):
                return [SendUpstream(1, data)]
            case RequestEnd():
                self.wants_request = False
                return [EndUpstream(1)]
            case UpstreamHead() | UpstreamFailed():
                self.wants_request = False
            case RequestBroken():
                return [AbortUpstream(1), mark("broken"), *answer(400, b"short"), Finish()]
        return super().handle(input, now)

    opened = False


async def head_of(stream: trio.abc.Stream) -> bytes:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += await stream.receive_some(1)
    return data


async def some(stream: trio.abc.Stream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await stream.receive_some(count - len(data))
    return data


async def test_an_upload_is_passed_on_as_it_comes_with_its_length(autojump_clock):
    upstreams = Upstreams()
    async with bench(UploadExchange, connect=upstreams) as toy:
        await toy.client.send_all(sized(6) + b"ab")
        upstream = await upstreams.accept()
        assert await head_of(upstream) == b"POST /up HTTP/1.1\r\nhost: upstream.test\r\ncontent-length: 6\r\n\r\n"
        assert await some(upstream, 2) == b"ab"
        for piece in (b"cd", b"ef"):
            await toy.client.send_all(piece)
            assert await some(upstream, 2) == piece
        await upstream.send_all(OK)
        assert (await toy.answer())[::2] == (200, b"ok")
        assert toy.pool.kept == 1


async def test_an_upload_of_unknown_length_is_chunked_on_both_sides(autojump_clock):
    upstreams = Upstreams()
    async with bench(UploadExchange, connect=upstreams) as toy:
        await toy.client.send_all(CHUNKED + b"2\r\nab\r\n")
        upstream = await upstreams.accept()
        assert b"transfer-encoding: chunked\r\n" in await head_of(upstream)
        assert await some(upstream, 7) == b"2\r\nab\r\n"
        await toy.client.send_all(b"1\r\nc\r\n")
        assert await some(upstream, 6) == b"1\r\nc\r\n"
        await toy.client.send_all(b"0\r\n\r\n")
        assert await some(upstream, 5) == b"0\r\n\r\n"
        await upstream.send_all(OK)
        assert (await toy.answer())[2] == b"ok"
        assert toy.pool.kept == 1


@pytest.mark.parametrize("watched", [True, False])
async def test_while_the_upstream_does_not_read_no_more_than_one_chunk_of_the_client_is_read(watched, autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(UploadExchange, connect=upstreams, pair=trio.testing.lockstep_stream_pair) as toy:
        toy.connection.watched = watched
        taken = 0

        async def upload() -> None:
            nonlocal taken
            await toy.client.send_all(CHUNKED)
            for _ in range(10):
                await toy.client.send_all(b"3\r\nabc\r\n")
                taken += 1
            await toy.client.send_all(b"0\r\n\r\n")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload)
            upstream = await upstreams.accept()
            await trio.testing.wait_all_tasks_blocked()
            assert taken == 1
            await head_of(upstream)
            for count in range(1, 10):
                assert await some(upstream, 8) == b"3\r\nabc\r\n"
                await trio.testing.wait_all_tasks_blocked()
                assert taken == count + 1
            assert await some(upstream, 13) == b"3\r\nabc\r\n0\r\n\r\n"
            nursery.start_soon(upstream.send_all, OK)
            assert (await toy.answer())[2] == b"ok"
    assert taken == 10


@pytest.mark.parametrize("watched", [True, False])
async def test_an_upload_that_the_upstream_does_not_take_fails_in_the_send(watched, autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    config = Config(timeouts=Timeouts(write=3))
    async with bench(UploadExchange, connect=upstreams, config=config) as toy:
        toy.connection.watched = watched
        await toy.client.send_all(sized(100) + b"ab")
        upstream = await upstreams.accept()
        await head_of(upstream)
        await some(upstream, 2)
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await toy.client.send_all(b"more")
        assert (await toy.answer())[::2] == (502, b"upstream.test:80 did not take the request in time")
        assert trio.current_time() - began == pytest.approx(3, abs=0.01)
    failed = toy.gateway.exchanges[0].seen[-1]
    assert isinstance(failed, UpstreamFailed)
    assert (failed.stage, failed.sent) == (Stage.SEND, Sent.PART)


async def test_a_slow_piece_of_an_upload_is_reported_as_written(autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(UploadExchange, connect=upstreams) as toy:
        await toy.client.send_all(sized(4) + b"ab")
        upstream = await upstreams.accept()
        await head_of(upstream)
        await some(upstream, 2)
        await toy.client.send_all(b"cd")
        await trio.sleep(2)
        assert await some(upstream, 2) == b"cd"
        await trio.testing.wait_all_tasks_blocked()
        await upstream.send_all(OK)
        await toy.answer()
    assert [type(item) for item in toy.gateway.exchanges[0].seen].count(Written) == 1


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("waiting", [True, False], ids=["while a piece waits", "between two pieces"])
async def test_an_early_answer_to_an_upload_is_the_answer(watched, waiting, autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(UploadExchange, connect=upstreams) as toy:
        toy.connection.watched = watched
        await toy.client.send_all(sized(1000) + b"ab")
        upstream = await upstreams.accept()
        await head_of(upstream)
        await some(upstream, 2)
        await trio.testing.wait_all_tasks_blocked()
        if waiting:
            await toy.client.send_all(b"more")
            await trio.testing.wait_all_tasks_blocked()
        await upstream.send_all(TOO_LARGE)
        assert (await toy.answer())[::2] == (413, b"big")
        assert toy.pool.kept == 0
    assert UpstreamEnd(1) in toy.gateway.exchanges[0].seen


async def test_an_upload_to_one_who_answers_and_closes_is_answered_not_broken(autojump_clock):
    upstreams = Upstreams()
    async with bench(UploadExchange, connect=upstreams) as toy:
        await toy.client.send_all(sized(1000) + b"ab")
        upstream = await upstreams.accept()
        await head_of(upstream)
        await some(upstream, 2)
        await trio.testing.wait_all_tasks_blocked()
        # In one turn of the scheduler: the next piece comes, and the answer, and the end.
        toy.connection.stream.receive_stream.put_data(b"more")
        await upstream.send_all(TOO_LARGE)
        await upstream.aclose()
        assert (await toy.answer())[::2] == (413, b"big")


async def test_an_upload_to_one_who_closes_without_a_word_fails(autojump_clock):
    upstreams = Upstreams()
    async with bench(UploadExchange, connect=upstreams) as toy:
        await toy.client.send_all(sized(1000) + b"ab")
        upstream = await upstreams.accept()
        await head_of(upstream)
        await upstream.aclose()
        assert (await toy.answer())[0] == 502
    failed = toy.gateway.exchanges[0].seen[-1]
    assert isinstance(failed, UpstreamFailed)
    assert (failed.stage, failed.sent) == (Stage.SEND, Sent.PART)


@pytest.mark.parametrize("waiting", [True, False], ids=["while a piece waits", "between two pieces"])
async def test_a_client_that_leaves_while_it_uploads_aborts_the_leg(waiting, autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(UploadExchange, connect=upstreams) as toy:
        toy.connection.watched = True
        await toy.client.send_all(sized(1000) + b"ab")
        upstream = await upstreams.accept()
        await head_of(upstream)
        await some(upstream, 2)
        if waiting:
            await toy.client.send_all(b"more")
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await trio.aclose_forcefully(toy.client)
        toy.connection.hung_up()
        while await upstream.receive_some(10):
            pass
        assert trio.current_time() == began
    assert isinstance(toy.gateway.exchanges[0].seen[-1], ClientGone if waiting else RequestBroken)


async def test_a_message_to_an_upload_loses_nothing_of_it(autojump_clock):
    upstreams = Upstreams()
    async with bench(UploadExchange, connect=upstreams) as toy:
        await toy.client.send_all(sized(4) + b"a")
        upstream = await upstreams.accept()
        await head_of(upstream)
        for piece in (b"b", b"c", b"d"):
            await trio.testing.wait_all_tasks_blocked()
            toy.connection.deliver(DrainRequested())
            await toy.client.send_all(piece)
        assert await some(upstream, 4) == b"abcd"
        await upstream.send_all(OK)
        assert (await toy.answer())[2] == b"ok"
    assert toy.gateway.exchanges[0].seen.count(DrainRequested()) == 3


class SpoolExchange(RelayExchange):
    """Puts the body aside and sends it from there; after a failure, once more."""

    patches: tuple[Patch, ...] = ()
    size = 0
    leg = 0

    def open(self) -> list[Effect]:
        self.leg += 1
        length = self.size + sum(len(patch.data) - patch.length for patch in self.patches)
        headers = ((b"host", b"upstream.test"), (b"content-length", b"%d" % length))
        request = UpstreamRequest(ORIGIN, "POST", b"/up", headers, Spooled(7, self.patches))
        return [OpenUpstream(self.leg, request)]

    def handle(self, input: Input, now: float) -> list[Effect]:
        match input:
            case RequestData(data):
                self.size += len(data)
                return [Spool(7, data)]
            case RequestEnd():
                self.wants_request = False
                return self.open()
            case UpstreamFailed() if self.leg == 1:
                return self.open()
            case SpoolFailed(_, cause):
                return [*answer(507, cause.encode()), Finish()]
            case UpstreamEnd():
                return [DropSpool(7), *super().handle(input, now)]
        return super().handle(input, now)


@pytest.fixture
def files(monkeypatch) -> list[IO[bytes]]:
    """All temporary files that are made."""
    import tempfile

    made: list[IO[bytes]] = []
    make = tempfile.TemporaryFile

    def remember(**options: Any) -> IO[bytes]:
        made.append(make(**options))
        return made[-1]

    monkeypatch.setattr("tempfile.TemporaryFile", remember)
    return made


def numbers(count: int) -> bytes:
    return b"".join(b"%08d" % number for number in range(count))


async def test_a_body_that_was_put_aside_is_sent_with_its_patches_and_sent_again(files, autojump_clock):
    class Patched(SpoolExchange):
        patches = (Patch(0, 0, b"<"), Patch(8, 8, b"other"), Patch(300_000, 4, b""), Patch(800_000, 0, b">"))

    body = numbers(100_000)
    expected = b"<" + body[:8] + b"other" + body[16:300_000] + body[300_004:] + b">"
    upstreams = Upstreams()
    async with bench(Patched, connect=upstreams) as toy, trio.open_nursery() as nursery:
        nursery.start_soon(toy.client.send_all, sized(len(body)) + body)
        first = await upstreams.accept()
        await head_of(first)
        await first.aclose()
        second = await upstreams.accept()
        assert await read_request(second) == expected
        await second.send_all(OK)
        assert (await toy.answer())[2] == b"ok"
    assert [file.closed for file in files] == [True]


async def test_a_file_of_an_exchange_that_is_given_up_is_gone(files, autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(SpoolExchange, connect=upstreams) as toy:
        await toy.client.send_all(sized(4) + b"abcd")
        await head_of(await upstreams.accept())
        assert [file.closed for file in files] == [False]
    assert toy.sink.marks == ["abandoned"]
    assert [file.closed for file in files] == [True]


async def test_a_file_that_a_finished_exchange_has_not_dropped_is_gone(files, autojump_clock):
    class Careless(SpoolExchange):
        def open(self) -> list[Effect]:
            return [*answer(200, b"enough"), Finish()]

    async with bench(Careless) as toy:
        assert (await toy.ask(sized(4) + b"abcd"))[2] == b"enough"
        assert [file.closed for file in files] == [True]


class FullFile:
    """Takes five bytes and then no more."""

    def __init__(self, **_: object) -> None:
        self.closed = False
        self.left = 5

    def seek(self, at: int) -> None:
        pass

    def write(self, data: memoryview) -> int:
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = min(self.left, len(data))
        self.left -= written
        return written

    def close(self) -> None:
        self.closed = True


async def test_a_full_disk_is_reported_once_and_its_file_is_gone(monkeypatch, autojump_clock):
    class Stubborn(SpoolExchange):
        def handle(self, input: Input, now: float) -> list[Effect]:
            return [] if isinstance(input, SpoolFailed) else super().handle(input, now)

        def open(self) -> list[Effect]:
            return [*answer(200, b"done"), Finish()]

    made: list[FullFile] = []
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: made.append(FullFile()) or made[-1])
    async with bench(Stubborn) as toy:
        await toy.client.send_all(sized(9) + b"abcdef")
        await trio.testing.wait_all_tasks_blocked()
        assert (await toy.ask(b"ghi"))[2] == b"done"
    failures = [item for item in toy.gateway.exchanges[0].seen if isinstance(item, SpoolFailed)]
    assert failures == [SpoolFailed(7, "a temporary file cannot be written: no space left on device")]
    assert [file.closed for file in made] == [True]


async def test_a_directory_without_room_for_a_file_is_reported(monkeypatch, autojump_clock):
    def refuse(**_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    async with bench(SpoolExchange) as toy:
        status, _, body = await toy.ask(sized(4) + b"abcd")
    assert (status, body) == (507, b"a temporary file cannot be written: permission denied")


async def test_a_file_that_is_closed_under_a_leg_fails_the_leg(files, autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    body = numbers(100_000)
    async with bench(SpoolExchange, connect=upstreams) as toy:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(toy.client.send_all, sized(len(body)) + body)
            upstream = await upstreams.accept()
            await head_of(upstream)
            files[0].close()
            toy.gateway.exchanges[0].leg = 2
            while await upstream.receive_some(100_000):
                pass
        status, _, said = await toy.answer()
    assert (status, said) == (502, b"upstream.test:80 did not get the whole request: the temporary file is gone")


class ReadBack(SpoolExchange):
    """Answers with what it put aside."""

    def open(self) -> list[Effect]:
        return [ReadSpool(3, 7)]

    def handle(self, input: Input, now: float) -> list[Effect]:
        match input:
            case FileRead(3, data):
                return [*answer(200, data), DropSpool(7), Finish()]
        return super().handle(input, now)


async def test_what_was_put_aside_is_read_back(files, autojump_clock):
    body = numbers(17_000)  # longer than what is read at once
    async with bench(ReadBack) as toy:
        assert (await toy.ask(sized(len(body)) + body))[2] == body
    assert [file.closed for file in files] == [True]


async def test_a_file_that_is_gone_cannot_be_read_back(files):
    spools = spool.Spools()
    assert spools.append(7, b"abcd") == []
    assert spools.read(ReadSpool(3, 7)) == FileRead(3, b"abcd")
    files[0].close()
    assert spools.read(ReadSpool(4, 7)) == FileRefused(4, "cannot be read")
    spools.drop(7)
    assert spools.read(ReadSpool(5, 7)) == FileRefused(5, "cannot be read")


def test_pieces_are_neither_short_nor_long():
    made = spool.Spool()
    body = numbers(60_000)
    for start in range(0, len(body), 10_000):
        made.append(body[start : start + 10_000])
    patches = tuple(Patch(offset, 1, b"!") for offset in range(1000, 400_000, 50_000))
    pieces = [*made.pieces(patches)]
    made.close()
    assert len(b"".join(pieces)) == len(body)
    assert all(64 * 1024 <= len(piece) <= 256 * 1024 for piece in pieces[:-1])


MEGABYTES = 50


async def test_fifty_megabytes_arrive_unharmed_and_are_never_in_memory():
    def body() -> Iterator[bytes]:
        block = numbers(8192)
        for number in range(MEGABYTES * 16):
            yield b"%08d" % number + block[8:]

    length = MEGABYTES * 16 * 65536

    class Patched(SpoolExchange):
        patches = (Patch(3, 2, b"xyz"), Patch(length // 2, 1, b""))

        def handle(self, input: Input, now: float) -> list[Effect]:
            effects = super().handle(input, now)
            self.seen.clear()
            return effects

    expected, received = hashlib.sha256(), hashlib.sha256()
    at = 0
    for block in body():
        for patch in reversed(Patched.patches):
            if at <= patch.offset < at + len(block):
                start = patch.offset - at
                block = block[:start] + patch.data + block[start + patch.length :]
        expected.update(block)
        at += 65536
    total = length + sum(len(patch.data) - patch.length for patch in Patched.patches)

    def sockets() -> tuple[trio.abc.Stream, trio.abc.Stream]:
        ours, theirs = trio.socket.socketpair()
        return trio.SocketStream(ours), trio.SocketStream(theirs)

    async def serve(stream: trio.abc.Stream) -> None:
        assert b"content-length: %d\r\n" % total in await head_of(stream)
        count = 0
        while count < total:
            data = await stream.receive_some(65536)
            count += len(data)
            received.update(data)
        await stream.send_all(OK)

    upstreams = Upstreams(sockets)
    async with bench(Patched, connect=upstreams, pair=sockets) as toy:
        async with trio.open_nursery() as nursery:
            tracemalloc.start()
            await toy.client.send_all(sized(length))
            for block in body():
                await toy.client.send_all(block)
            upstream = await upstreams.accept()
            nursery.start_soon(serve, upstream)
            assert (await toy.answer())[2] == b"ok"
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        await upstream.aclose()
        await toy.client.aclose()
        await toy.pool.close()
    assert received.digest() == expected.digest()
    assert peak < 10_000_000
