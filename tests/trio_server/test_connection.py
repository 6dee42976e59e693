"""A client connection over streams in memory, with toy machines: what the driver does between bytes and effects."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from agcore.config.values import Config, Limits, Timeouts
from agcore.protocol.effects import (
    AbortClient,
    AbortUpstream,
    Effect,
    Finish,
    OpenUpstream,
    SendData,
    SendEnd,
    SendHead,
)
from agcore.protocol.http import Origin
from agcore.protocol.inputs import (
    ClientGone,
    DrainRequested,
    Input,
    RequestBroken,
    RequestData,
    RequestEnd,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
    Written,
)
from tests.trio_server.toys import (
    ListSink,
    RelayExchange,
    ToyExchange,
    Upstreams,
    answer,
    bench,
    mark,
    post,
    read_request,
)

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b"3\r\nabc\r\n"
LAST = b"0\r\n\r\n"


def config(**timeouts: float) -> Config:
    return Config(timeouts=Timeouts(**timeouts))


async def closed(stream: trio.abc.Stream) -> bytes:
    """What still comes until the other side closes."""
    data = b""
    try:
        while piece := await stream.receive_some(1000):
            data += piece
    except trio.BrokenResourceError:
        pass
    return data


async def test_one_connection_serves_many_requests(autojump_clock):
    async with bench() as toy:
        for body in (b"one", b"two", b"three"):
            assert (await toy.ask(post(body)))[::2] == (200, body)
    assert [exchange.head.target for exchange in toy.gateway.exchanges] == [b"/"] * 3


async def test_answers_have_a_date_and_an_upstreams_own_is_kept(autojump_clock):
    class Dated(ToyExchange):
        def complete(self, now: float) -> list[Effect]:
            return [SendHead(204, ((b"date", b"theirs"),)), SendEnd(), Finish()]

    async with bench() as toy:
        assert (await toy.ask(post()))[1][b"date"] == b"Fri, 15 Jan 2027 08:00:00 GMT"
    async with bench(Dated) as toy:
        assert (await toy.ask(post()))[1][b"date"] == b"theirs"


async def test_pipelined_requests_are_answered_in_order(autojump_clock):
    async with bench() as toy:
        await toy.client.send_all(post(b"one") + post(b"two") + b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert [(await toy.answer())[2] for _ in range(3)] == [b"one", b"two", b""]


async def test_a_chunked_request_arrives_in_pieces_and_ends(autojump_clock):
    async with bench() as toy:
        await toy.client.send_all(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        await trio.testing.wait_all_tasks_blocked()
        assert toy.gateway.exchanges[0].seen == [RequestData(b"ab")]
        await toy.client.send_all(b"1\r\nc\r\n0\r\n\r\n")
        assert (await toy.answer())[2] == b"abc"


async def test_a_client_that_expects_100_continue_is_told_to(autojump_clock):
    async with bench() as toy:
        await toy.client.send_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        expected = b"HTTP/1.1 100 \r\n\r\n"
        assert await toy.client.receive_some(100) == expected
        assert (await toy.ask(b"hi"))[2] == b"hi"
        assert (await toy.ask(post(b"next")))[2] == b"next"


class RefusingExchange(ToyExchange):
    """Answers at once, whatever the body is."""

    def begin(self, now: float) -> list[Effect]:
        return [*answer(401, b"no"), Finish()]


async def test_a_refused_client_that_expects_100_continue_is_answered_and_closed(autojump_clock):
    async with bench(RefusingExchange) as toy:
        await toy.client.send_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        status, headers, _ = await toy.answer()
        assert (status, headers[b"connection"]) == (401, b"close")
        assert await closed(toy.client) == b""


async def test_a_short_unwanted_body_is_read_and_the_connection_kept(autojump_clock):
    async with bench(RefusingExchange) as toy:
        for _ in range(2):
            assert (await toy.ask(post(b"x" * 10_000)))[0] == 401


async def test_after_a_long_unwanted_body_the_connection_lingers_and_closes(autojump_clock):
    async with bench(RefusingExchange) as toy:
        await toy.client.send_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 100_000)
        assert (await toy.answer())[0] == 401
        assert await closed(toy.client) == b""
        # It still reads: a client that goes on sending is not reset before it has seen the answer.
        await toy.client.send_all(b"x" * 100_000)
        began = trio.current_time()
        await trio.sleep(0.9)
        await toy.client.send_all(b"x")
        await trio.sleep(0.2)
        with pytest.raises(trio.BrokenResourceError):
            await toy.client.send_all(b"x")
        assert trio.current_time() - began < 3


async def test_a_body_that_never_comes_holds_an_answered_connection_for_two_seconds_at_most(autojump_clock):
    async with bench(RefusingExchange) as toy:
        began = trio.current_time()
        await toy.client.send_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
        assert (await toy.answer())[0] == 401
        assert await closed(toy.client) == b""
        assert trio.current_time() - began <= 2


@pytest.mark.parametrize(("raw", "status"), [(b"NOISE\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400)])
async def test_bytes_that_are_no_request_are_refused_and_the_connection_closed(raw, status, autojump_clock):
    async with bench() as toy:
        got, headers, _ = await toy.ask(raw)
        assert (got, headers[b"connection"]) == (status, b"close")
        assert await closed(toy.client) == b""
    assert toy.sink.marks == ["refused"]


async def test_a_head_over_the_limits_is_a_431(autojump_clock):
    async with bench(config=Config(limits=Limits(max_header_kb=1))) as toy:
        assert (await toy.ask(b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"b" * 2000))[0] == 431


async def test_a_broken_body_is_reported_and_answered_and_closes(autojump_clock):
    async with bench() as toy:
        raw = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n"
        assert (await toy.ask(raw))[0] == 400
        assert await closed(toy.client) == b""
    assert isinstance(toy.gateway.exchanges[0].seen[-1], RequestBroken)


async def test_a_head_that_does_not_come_in_time_is_a_408(autojump_clock):
    async with bench(config=config(header=5, keepalive=60)) as toy:
        await trio.sleep(30)
        await toy.client.send_all(b"GET / HT")
        began = trio.current_time()
        assert (await toy.answer())[0] == 408
        assert trio.current_time() - began == pytest.approx(5, abs=0.01)


async def test_bytes_that_trickle_in_do_not_extend_the_time_for_a_head(autojump_clock):
    async with bench(config=config(header=5)) as toy:
        for byte in b"GET /":
            await toy.client.send_all(bytes([byte]))
            await trio.sleep(0.9)
        began = trio.current_time()
        assert (await toy.answer())[0] == 408
        assert trio.current_time() - began < 1


async def test_an_idle_connection_is_closed_without_a_word(autojump_clock):
    async with bench(config=config(keepalive=20)) as toy:
        await toy.ask(post(b"x"))
        began = trio.current_time()
        assert await closed(toy.client) == b""
        assert trio.current_time() - began == pytest.approx(20, abs=0.01)


async def test_a_wake_up_that_comes_too_late_for_its_exchange_does_not_close_the_connection(autojump_clock):
    async with bench() as toy:
        assert (await toy.ask(post(b"one")))[2] == b"one"
        await trio.testing.wait_all_tasks_blocked()
        toy.connection.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert (await toy.ask(post(b"two")))[2] == b"two"


class SlowExchange(ToyExchange):
    """Answers when its deadline comes."""

    def complete(self, now: float) -> list[Effect]:
        self.deadline = now + 7
        return []


async def test_the_deadline_of_a_machine_is_kept(autojump_clock):
    async with bench(SlowExchange) as toy:
        for _ in range(2):
            began = trio.current_time()
            assert (await toy.ask(post()))[0] == 504
            assert trio.current_time() - began == pytest.approx(7, abs=0.01)


class TickingExchange(ToyExchange):
    """Sends a keepalive every second, five times."""

    def complete(self, now: float) -> list[Effect]:
        self.deadline = now + 1
        self.left = 5
        return [SendHead(200, ()), SendData(b"open")]

    def late(self, now: float) -> list[Effect]:
        self.left -= 1
        if not self.left:
            return [SendEnd(), Finish()]
        self.deadline = now + 1
        return [SendData(b".")]


async def test_a_deadline_may_fire_again_and_again(autojump_clock):
    async with bench(TickingExchange) as toy:
        assert (await toy.ask(post()))[2] == b"open...."
        assert (await toy.ask(post()))[2] == b"open...."


class FloodExchange(ToyExchange):
    """Answers with more than the client reads."""

    def complete(self, now: float) -> list[Effect]:
        return [SendHead(200, ()), SendData(b"x" * 1000), *self.more()]

    def more(self) -> list[Effect]:
        return [SendEnd(), Finish()]


async def test_a_write_that_nobody_takes_is_cut_and_the_client_counts_as_gone(autojump_clock):
    class Unfinished(FloodExchange):
        def more(self) -> list[Effect]:
            return []

    async with bench(Unfinished, config=config(write=3), pair=trio.testing.lockstep_stream_pair) as toy:
        await toy.client.send_all(post())
        began = trio.current_time()
        await trio.sleep(10)
        assert toy.gateway.exchanges[0].seen[-1] == ClientGone()
        gone = [each for each in toy.sink.marks if each == "gone"]
        assert len(gone) == 1
        with pytest.raises(trio.BrokenResourceError):
            await toy.client.send_all(b"x")
        assert trio.current_time() - began == pytest.approx(10, abs=0.01)


async def test_a_deadline_for_reads_does_not_cut_a_write(autojump_clock):
    class Impatient(FloodExchange):
        def complete(self, now: float) -> list[Effect]:
            self.deadline = now + 1
            return [SendHead(200, ()), SendData(b"x" * 1000)]

        def late(self, now: float) -> list[Effect]:
            return [SendEnd(), Finish()]

    async with bench(Impatient, pair=trio.testing.lockstep_stream_pair) as toy:
        await toy.client.send_all(post())
        await trio.sleep(5)
        assert (await toy.answer())[2] == b"x" * 1000
    assert ClientGone() not in toy.gateway.exchanges[0].seen
    assert Written(None) in toy.gateway.exchanges[0].seen


async def test_quick_writes_are_not_reported(autojump_clock):
    async with bench(TickingExchange) as toy:
        await toy.ask(post())
    assert Written(None) not in toy.gateway.exchanges[0].seen


async def test_an_aborted_answer_ends_visibly_early(autojump_clock):
    class Aborting(ToyExchange):
        def complete(self, now: float) -> list[Effect]:
            return [SendHead(200, ()), SendData(b"abc"), AbortClient(), Finish()]

    async with bench(Aborting) as toy:
        await toy.client.send_all(post())
        raw = await closed(toy.client)
    assert raw.endswith(b"3\r\nabc\r\n")


async def test_a_request_is_relayed_and_its_upstream_connection_used_again(autojump_clock):
    upstreams = Upstreams()
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post(b"one"))
        upstream = await upstreams.accept()
        for body in (b"one", b"two"):
            if body != b"one":
                await toy.client.send_all(post(body))
            assert await read_request(upstream) == body
            await upstream.send_all(b"HTTP/1.1 201 Made\r\ncontent-length: 3\r\n\r\nok!")
            assert (await toy.answer())[::2] == (201, b"ok!")
    assert upstreams.made == 1
    told = [item for item in toy.gateway.exchanges[1].seen if isinstance(item, UpstreamConnected)]
    assert told == [UpstreamConnected(1, reused=True)]


async def test_a_stream_is_relayed_as_it_comes(autojump_clock):
    upstreams = Upstreams()
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post())
        upstream = await upstreams.accept()
        await read_request(upstream)
        await upstream.send_all(STREAM)
        head = await toy.client.receive_some(1000)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        for _ in range(3):
            await upstream.send_all(CHUNK)
            assert await toy.client.receive_some(1000) == CHUNK
        await upstream.send_all(LAST)
        assert await toy.client.receive_some(1000) == LAST


async def test_what_one_packet_brings_leaves_in_one_write(autojump_clock):
    upstreams = Upstreams()
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post())
        upstream = await upstreams.accept()
        await read_request(upstream)
        await upstream.send_all(STREAM + CHUNK + CHUNK + LAST)
        raw = await toy.client.receive_some(1000)
    assert raw.endswith(CHUNK + CHUNK + LAST)


async def test_while_the_client_does_not_read_no_more_than_one_chunk_is_read_upstream(autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(RelayExchange, connect=upstreams, pair=trio.testing.lockstep_stream_pair) as toy:
        taken = 0

        async def send_chunks(upstream: trio.abc.Stream) -> None:
            nonlocal taken
            await read_request(upstream)
            await upstream.send_all(STREAM)
            for _ in range(10):
                await upstream.send_all(CHUNK)
                taken += 1
            await upstream.send_all(LAST)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(toy.client.send_all, post())
            nursery.start_soon(send_chunks, await upstreams.accept())
            await trio.testing.wait_all_tasks_blocked()
            assert taken == 0
            while not (await toy.client.receive_some(1000)).endswith(b"\r\n\r\n"):
                pass
            await trio.testing.wait_all_tasks_blocked()
            assert taken == 1
            await toy.client.receive_some(1000)
            await trio.testing.wait_all_tasks_blocked()
            assert taken == 2
            while await toy.client.receive_some(1000) != LAST:
                pass
    assert taken == 10


async def test_an_upstream_that_is_not_wanted_is_not_read(autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post())
        upstream = await upstreams.accept()
        await read_request(upstream)
        toy.gateway.exchanges[0].paused = True
        with trio.move_on_after(5) as blocked:
            await upstream.send_all(STREAM)
        assert blocked.cancelled_caught


@pytest.mark.parametrize("reading", [b"", STREAM, STREAM + CHUNK])
async def test_a_client_that_hangs_up_aborts_the_upstream_at_once(reading, autojump_clock):
    upstreams = Upstreams()
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post())
        upstream = await upstreams.accept()
        await read_request(upstream)
        if reading:
            await upstream.send_all(reading)
            await toy.client.receive_some(1000)
        began = trio.current_time()
        await trio.aclose_forcefully(toy.client)
        assert await closed(upstream) == b""
        assert trio.current_time() == began
        assert toy.gateway.exchanges[0].seen[-1] == ClientGone()
        assert toy.sink.marks == ["gone"]


async def test_a_client_that_ends_only_its_own_side_counts_as_gone(autojump_clock):
    upstreams = Upstreams()
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post())
        upstream = await upstreams.accept()
        await read_request(upstream)
        await toy.client.send_eof()
        assert await closed(upstream) == b""
    assert toy.gateway.exchanges[0].seen[-1] == ClientGone()


async def test_a_request_that_comes_while_another_runs_is_kept_for_later(autojump_clock):
    upstreams = Upstreams()
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post(b"one"))
        upstream = await upstreams.accept()
        await read_request(upstream)
        await toy.client.send_all(post(b"two"))
        await trio.testing.wait_all_tasks_blocked()
        await upstream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1")
        assert (await toy.answer())[2] == b"1"
        assert await read_request(upstream) == b"two"
        await upstream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2")
        assert (await toy.answer())[2] == b"2"


async def test_what_a_client_sends_ahead_is_bounded(autojump_clock):
    upstreams = Upstreams()
    async with bench(RelayExchange, connect=upstreams, pair=trio.testing.lockstep_stream_pair) as toy:
        await toy.client.send_all(post(b"one"))
        await read_request(await upstreams.accept())
        sent = 0
        with trio.move_on_after(5):
            for _ in range(100):
                await toy.client.send_all(b"x" * 10_000)
                sent += 10_000
        assert sent < 150_000


async def test_a_second_leg_is_read_together_with_the_first(autojump_clock):
    class Fan(RelayExchange):
        def complete(self, now: float) -> list[Effect]:
            self.ended = 0
            return [OpenUpstream(leg, self.upstream_request()) for leg in (1, 2, 3)]

        def handle(self, input: Input, now: float) -> list[Effect]:
            if isinstance(input, (UpstreamConnected, UpstreamHead, UpstreamData)):
                return []
            if isinstance(input, UpstreamEnd):
                self.ended += 1
                done = [SendEnd(), Finish()] if self.ended == 3 else []
                opened = [SendHead(200, ())] if self.ended == 1 else []
                return [*opened, SendData(b"%d" % input.leg), *done]
            return super().handle(input, now)

    upstreams = Upstreams()
    async with bench(Fan, connect=upstreams) as toy:
        await toy.client.send_all(post(b"x"))
        legs = [await upstreams.accept() for _ in range(3)]
        for leg in legs:
            assert await read_request(leg) == b"x"
        for leg in reversed(legs):
            await leg.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            await trio.testing.wait_all_tasks_blocked()
        assert sorted((await toy.answer())[2]) == sorted(b"123")
        # The connection goes on, and the upstreams' are used again.
        await toy.client.send_all(post(b"y"))
        for leg in legs:
            assert await read_request(leg) == b"y"
            await leg.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        await toy.answer()
    assert upstreams.made == 3
    assert toy.gateway.exchanges[0].ended == 3


async def test_the_first_of_two_legs_may_end_the_other(autojump_clock):
    class Race(RelayExchange):
        def complete(self, now: float) -> list[Effect]:
            return [OpenUpstream(leg, self.upstream_request()) for leg in (1, 2)]

        def handle(self, input: Input, now: float) -> list[Effect]:
            if isinstance(input, UpstreamHead):
                return [AbortUpstream(3 - input.leg), *super().handle(input, now)]
            return super().handle(input, now)

    upstreams = Upstreams()
    async with bench(Race, connect=upstreams) as toy:
        await toy.client.send_all(post())
        first, second = await upstreams.accept(), await upstreams.accept()
        await read_request(first)
        await read_request(second)
        await second.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        assert (await toy.answer())[2] == b"ok"
        assert await closed(first) == b""


async def test_a_message_wakes_an_exchange_that_waits(autojump_clock):
    class Endless(ToyExchange):
        def complete(self, now: float) -> list[Effect]:
            return [SendHead(200, ()), SendData(b"open")]

        def handle(self, input: Input, now: float) -> list[Effect]:
            if isinstance(input, DrainRequested):
                return [SendData(b"bye"), SendEnd(), Finish()]
            return super().handle(input, now)

    async with bench(Endless) as toy:
        await toy.client.send_all(post())
        await trio.testing.wait_all_tasks_blocked()
        toy.connection.deliver(DrainRequested())
        assert (await toy.answer())[2] == b"openbye"
        # And so does the next: the message was for the first one only.
        await toy.client.send_all(post())
        await trio.testing.wait_all_tasks_blocked()
        assert DrainRequested() not in toy.gateway.exchanges[1].seen


async def test_answers_of_a_draining_gateway_close_their_connections(autojump_clock):
    async with bench() as toy:
        toy.gateway.draining = True
        assert (await toy.ask(post()))[1][b"connection"] == b"close"
        assert await closed(toy.client) == b""


async def test_a_cancelled_exchange_is_abandoned_and_its_upstream_closed(autojump_clock):
    upstreams = Upstreams()
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post())
        upstream = await upstreams.accept()
        await read_request(upstream)
    assert toy.sink.marks == ["abandoned"]
    assert await closed(upstream) == b""


async def test_a_crash_of_a_machine_closes_everything_and_comes_out(autojump_clock):
    class Crashing(RelayExchange):
        def handle(self, input: Input, now: float) -> list[Effect]:
            if isinstance(input, UpstreamHead):
                raise ValueError("a bug")
            return super().handle(input, now)

    ours, theirs = trio.testing.memory_stream_pair()

    async def connect(origin: Origin) -> trio.abc.Stream:
        return ours

    async def crash() -> None:
        async with bench(Crashing, connect=connect, pair=lambda: pair) as toy:
            notes.append(toy.sink)
            await toy.client.send_all(post())
            await read_request(theirs)
            await theirs.send_all(STREAM)
            await trio.sleep(5)

    notes: list[ListSink] = []
    pair = trio.testing.memory_stream_pair()
    with pytest.raises(ExceptionGroup) as raised:
        await crash()
    assert raised.value.subgroup(ValueError) is not None
    assert (await closed(pair[0])).startswith(b"HTTP/1.1 500 ")
    assert await closed(theirs) == b""
    assert notes[0].marks == ["abandoned", "refused"]


async def test_peers_and_notes_reach_their_places(autojump_clock):
    class Noting(ToyExchange):
        def complete(self, now: float) -> list[Effect]:
            return [mark("one"), *answer(200, b""), mark("two"), Finish()]

    async with bench(Noting) as toy:
        await toy.ask(post())
    assert toy.sink.marks == ["one", "two"]
    assert [peer.host for peer in toy.gateway.peers] == ["127.0.0.1"]


class RemindedExchange(RelayExchange):
    """Has a deadline that means nothing, again and again."""

    def complete(self, now: float) -> list[Effect]:
        self.deadline = now + 1
        return super().complete(now)

    def late(self, now: float) -> list[Effect]:
        self.deadline = now + 1
        return []


@pytest.mark.parametrize("watched", [True, False])
async def test_connecting_does_not_start_over_when_a_timer_or_a_message_wakes_the_owner(watched, autojump_clock):
    made = 0
    ours, theirs = trio.testing.memory_stream_pair()

    async def connect(origin: Origin) -> trio.abc.Stream:
        nonlocal made
        made += 1
        await trio.sleep(2.5)
        return ours

    async with bench(RemindedExchange, connect=connect) as toy:
        toy.connection.watched = watched
        began = trio.current_time()
        await toy.client.send_all(post())
        await trio.testing.wait_all_tasks_blocked()
        toy.connection.deliver(DrainRequested())
        await read_request(theirs)
        assert trio.current_time() - began == pytest.approx(2.5, abs=0.01)
        await theirs.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await toy.answer())[0] == 204
    assert made == 1
    assert DrainRequested() in toy.gateway.exchanges[0].seen


@pytest.mark.parametrize("watched", [True, False])
async def test_an_upstream_that_does_not_take_its_request_fails_in_the_send(watched, autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(RelayExchange, connect=upstreams, config=config(write=3)) as toy:
        toy.connection.watched = watched
        await toy.client.send_all(post())
        await upstreams.accept()
        began = trio.current_time()
        assert (await toy.answer())[::2] == (502, b"upstream.test:80 did not take the request in time")
        assert trio.current_time() - began == pytest.approx(3, abs=0.01)
    failed = toy.gateway.exchanges[0].seen[-1]
    assert isinstance(failed, UpstreamFailed)
    assert (failed.stage, failed.sent) == (Stage.SEND, Sent.PART)


async def test_a_slow_write_to_an_upstream_is_reported_before_what_it_answers(autojump_clock):
    upstreams = Upstreams(trio.testing.lockstep_stream_pair)
    async with bench(RelayExchange, connect=upstreams) as toy:
        await toy.client.send_all(post())
        upstream = await upstreams.accept()
        await trio.sleep(2)
        await read_request(upstream)
        await upstream.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        await toy.answer()
    kinds = [type(item) for item in toy.gateway.exchanges[0].seen]
    assert kinds == [RequestEnd, UpstreamConnected, Written, UpstreamHead, UpstreamEnd]


async def test_a_message_that_comes_with_data_does_not_cut_the_write_of_it(autojump_clock):
    ours, theirs = trio.testing.memory_stream_pair()

    async def connect(origin: Origin) -> trio.abc.Stream:
        return ours

    async with bench(RelayExchange, connect=connect) as toy:
        toy.connection.watched = True
        await toy.client.send_all(post())
        await read_request(theirs)
        await trio.testing.wait_all_tasks_blocked()
        # In one turn of the scheduler: the read is done, and then its scope is cancelled.
        ours.receive_stream.put_data(STREAM + CHUNK)
        toy.connection.deliver(DrainRequested())
        await theirs.send_all(LAST)
        assert (await toy.answer())[2] == b"abc"
    seen = toy.gateway.exchanges[0].seen
    assert DrainRequested() in seen
    assert ClientGone() not in seen


async def test_a_write_that_breaks_tells_that_the_client_is_gone(autojump_clock):
    async with bench(TickingExchange) as toy:
        toy.connection.watched = True
        await toy.client.send_all(post())
        await toy.client.receive_some(1000)
        await trio.aclose_forcefully(toy.client)
        await trio.sleep(3)
    assert toy.gateway.exchanges[0].seen[-1] == ClientGone()
    assert toy.sink.marks == ["gone"]


async def test_a_hang_up_cuts_a_write_that_waits(autojump_clock):
    async with bench(FloodExchange, pair=trio.testing.lockstep_stream_pair) as toy:
        await toy.client.send_all(post())
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        toy.connection.hung_up()
        await closed(toy.client)
        assert trio.current_time() == began


async def test_nothing_is_written_to_a_client_that_is_known_to_be_gone(autojump_clock):
    class Unfinished(FloodExchange):
        def more(self) -> list[Effect]:
            return []

    async with bench(Unfinished, pair=trio.testing.lockstep_stream_pair) as toy:
        toy.connection.hung = True
        await toy.client.send_all(post())
        await trio.testing.wait_all_tasks_blocked()
        assert toy.gateway.exchanges[0].seen[-1] == ClientGone()
        assert await closed(toy.client) == b""


async def test_a_leg_that_a_finished_exchange_has_left_open_is_closed(autojump_clock):
    class Careless(RelayExchange):
        def handle(self, input: Input, now: float) -> list[Effect]:
            if isinstance(input, UpstreamHead):
                return [*answer(200, b"enough"), Finish()]
            return super().handle(input, now)

    upstreams = Upstreams()
    async with bench(Careless, connect=upstreams) as toy:
        await toy.client.send_all(post())
        upstream = await upstreams.accept()
        await read_request(upstream)
        await upstream.send_all(STREAM)
        assert (await toy.answer())[2] == b"enough"
        assert await closed(upstream) == b""
