"""`agcore demo`: the demo provider, the gateway before it, and one streamed request for each protocol, live.

Nothing is staged: there are two servers on loopback sockets, and a client that sends HTTP to the gateway and reads the
event streams as an SDK would. When the show is over the gateway stays, now with its access log on standard error, and
lines to copy say how to reach it.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec
import trio

from agcore import Gateway, SSEDecoder
from agcore.config import Config, parse_url, with_demo
from agcore.protocol import (
    Event,
    Headers,
    Origin,
    RequestEnded,
    UpstreamData,
    UpstreamFailed,
    UpstreamHead,
    UpstreamInput,
    UpstreamRequest,
)
from agcore_cli.demo_server import serve_demo
from agcore_cli.recipes import recipes
from agcore_cli.samples import SAMPLES, Said, Sample
from agcore_cli.terminal import Paper, complain
from agcore_host.log_lines import text_line
from agcore_host.settings import listen_problem
from agcore_host.upstream.leg import Step
from agcore_trio.server import serve
from agcore_trio.sinks import LogSink
from agcore_trio.upstream import Leg, UpstreamPool

HOST: Final = "127.0.0.1"
PORT: Final = 8045
"""The gateway's, if it is free and no other was asked for."""

PATIENCE: Final = 30.0
"""Seconds for one answer."""

FAILED: Final = 1
UNUSABLE: Final = 2
INTERRUPTED: Final = 130


def run(paper: Paper, *, port: int | None, once: bool) -> int:
    """Gives the show.

    Args:
        paper: what it is written on.
        port: the gateway's; None for the usual one, or a free one where that is taken.
        once: end after the show, instead of serving until SIGTERM or SIGINT.

    Returns:
        The exit code: 0; 1 when an exchange failed, 2 when the port cannot be had, 130 when stopped in mid-show.
    """
    return trio.run(partial(_run, paper, port=port, once=once))


async def _run(paper: Paper, *, port: int | None, once: bool) -> int:
    log = _Log(text_line)
    code = INTERRUPTED
    async with trio.open_nursery() as nursery:
        demo = await nursery.start(serve_demo)
        config = with_demo(Config(), demo)

        async def gateway(port: int, *, task_status: trio.TaskStatus[str]) -> None:
            machine = Gateway(config, secret=os.urandom(32), now=time.time())
            await serve(machine, host=HOST, port=port, sink=log, announce=lambda _: None, task_status=task_status)
            nursery.cancel_scope.cancel()

        try:
            url = await _start(nursery, gateway, port)
        except OSError as error:
            complain("error", listen_problem(HOST, PORT if port is None else port, error))
            code = UNUSABLE
            nursery.cancel_scope.cancel()
        else:
            code = 0 if await show(paper, url, demo, once=once) else FAILED
            if once or code:
                nursery.cancel_scope.cancel()
            else:
                paper.line(f"{paper.style('The gateway keeps running.', 'bold')} Ctrl-C stops it; below is its log.")
                log.open = True
    return code


async def _start(nursery: trio.Nursery, gateway: Callable[..., Awaitable[None]], port: int | None) -> str:
    try:
        url: str = await nursery.start(gateway, PORT if port is None else port)
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            raise
        url = await nursery.start(gateway, 0)
    return url


class _Log(LogSink):
    """Keeps access rows to itself until the show is over."""

    open = False

    def __call__(self, event: Event) -> None:
        if self.open or not isinstance(event, RequestEnded):
            super().__call__(event)


async def show(paper: Paper, url: str, demo: str, *, once: bool = False) -> bool:
    """Writes the whole show; returns whether every exchange succeeded."""
    paper.line(paper.style("agcore demo: one gateway, four protocols, no key", "bold"))
    paper.line()
    paper.line(f"  gateway   {paper.style(url, 'cyan')}")
    paper.line(f"  provider  {demo}, the built-in demo: it has no model, and repeats what it understood")
    failed = 0
    async with trio.open_nursery() as nursery:
        pool = UpstreamPool(idle=PATIENCE)
        nursery.start_soon(pool.sweep)
        for sample in SAMPLES:
            paper.line()
            paper.line(paper.style(sample.protocol, "bold"))
            paper.line(f"  POST {sample.target}")
            paper.line(f"  {paper.style(f'{sample.model}, asked:', 'dim')} {sample.prompt}")
            answer = Answer(sample, partial(paper.stream, indent=2))
            await ask(pool, url, answer)
            if problem := answer.problem:
                failed += 1
                paper.line(f"  {paper.style('failed:', 'red')} {problem}")
            else:
                paper.line(f"  {paper.style(answer.summary, 'green')}")
        nursery.cancel_scope.cancel()
    paper.line()
    if failed:
        paper.line(paper.style(f"{failed} of {len(SAMPLES)} exchanges failed.", "red"))
        return False
    # After a single show nothing answers there any more.
    title = "With clients of your own, while `agcore serve` runs:" if once else "Now with clients of your own:"
    paper.line(paper.style(title, "bold"))
    for recipe in recipes(url):
        paper.line()
        paper.line(paper.style(f"# {recipe.title}" + (f". {recipe.remark}" if recipe.remark else ""), "dim"))
        paper.line(recipe.text)
    paper.line()
    return True


class Answer:
    """What has come of the answer to one request.

    Args:
        sample: the request.
        hear: called with each piece of text, as it comes.

    Attributes:
        problem: what went wrong, or is still missing; empty once the answer is complete.
    """

    def __init__(self, sample: Sample, hear: Callable[[str], None]) -> None:
        self.sample = sample
        self.problem = "there was no answer"
        self._hear = hear
        self._decoder = SSEDecoder()
        self._status = 0
        self._body = b""
        self._from = ""
        self._started = trio.current_time()
        self._first: float | None = None
        self._total = 0.0
        self._tokens_in: int | None = None
        self._tokens_out: int | None = None

    @property
    def summary(self) -> str:
        """Who answered, how fast, and how much, in one line."""
        first = "no text" if self._first is None else f"first words after {self._first * 1000:.0f} ms"
        tokens = f"{_count(self._tokens_in)} tokens in, {_count(self._tokens_out)} out"
        return f"{self._status} from {self._from}: {first}, all after {self._total * 1000:.0f} ms; {tokens}"

    def take(self, input: UpstreamInput) -> None:
        """Takes in what came."""
        if isinstance(input, UpstreamHead):
            self._status = input.status
            fields = dict(input.headers)
            names = (fields.get(name, b"?").decode("latin-1") for name in (b"x-agcore-provider", b"x-agcore-model"))
            self._from = "/".join(names)
            self.problem = "the answer is not complete"
        elif isinstance(input, UpstreamData):
            if self._status == 200:
                self._read(bytes(input.data))
            else:
                self._body += input.data
                self.problem = f"{self._status} {self._body.decode(errors='replace')}"
        elif isinstance(input, UpstreamFailed):
            self.problem = input.cause

    def _read(self, data: bytes) -> None:
        try:
            said = [self.sample.read(frame) for frame in self._decoder.feed(data) if frame.data is not None]
        except (LookupError, TypeError, ValueError) as error:
            self.problem = f"the answer is not {self.sample.protocol}: {error}"
            return
        for each in said:
            self._note(each)

    def _note(self, said: Said) -> None:
        since = trio.current_time() - self._started
        if said.text:
            self._first = since if self._first is None else self._first
            self._hear(said.text)
        self._tokens_in = said.tokens_in if said.tokens_in is not None else self._tokens_in
        self._tokens_out = said.tokens_out if said.tokens_out is not None else self._tokens_out
        if said.last:
            self._total = since
            self.problem = ""


async def ask(pool: UpstreamPool, url: str, answer: Answer) -> None:
    """Sends the request of `answer` to the gateway at `url`, and lets it take in all that comes back."""
    where = parse_url(url)
    origin = Origin(where.scheme, where.host, where.port)
    body = msgspec.json.encode(answer.sample.body)
    headers: Headers = (
        (b"host", f"{where.host}:{where.port}".encode()),
        (b"user-agent", b"agcore-demo"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    )
    leg = pool.leg(1, UpstreamRequest(origin, "POST", answer.sample.target.encode(), headers, body))
    with trio.move_on_after(PATIENCE) as scope:
        while leg.step is not Step.OVER:
            for input in await _advance(leg):
                answer.take(input)
    if scope.cancelled_caught:
        answer.problem = f"the answer was not complete within {PATIENCE:g} s"


async def _advance(leg: Leg) -> list[UpstreamInput]:
    if leg.step is Step.OPEN:
        return await leg.open()
    return await (leg.send() if leg.step is Step.SEND else leg.read())


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)
