"""A configuration that changes while it is served: what is noticed, what is applied, and what is said of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio

import agcore_host.watch
from agcore import Gateway, LogRow
from agcore.config.values import Config, Timeouts
from agcore.protocol import Event
from agcore.protocol.events import Reloaded, Warned
from agcore_host.settings import Source
from agcore_host.watch import POLL, SETTLE, Watch
from agcore_trio.reload import Complete, Reloader, as_it_is
from agcore_trio.server import Server, serve
from agcore_trio.upstream import UpstreamPool
from tests.support.commands import Lines, agcore, quiet_environment
from tests.support.patience import PATIENCE
from tests.support.reloading import EACH, TURNS, age, ask_through, provider, replace
from tests.support.upstreams import Answer, Upstream
from tests.trio_server.toys import ListSink

SECRET = '[[providers]]\npreset = "openai"\nkeys = ["file:key"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agcore.toml"
    path.write_text(provider("one", "http://127.0.0.1:1"))
    age(path)
    return path


# What is noticed.


def test_a_file_that_stays_what_it_is_is_not_read_again(file: Path) -> None:
    watched = Watch(file)
    assert [watched.look() for _ in range(3)] == [False] * 3
    assert watched.pause == POLL


def test_a_change_counts_once(file: Path) -> None:
    watched = Watch(file)
    file.write_text("[proxy]\n")
    age(file, seconds=30)
    assert [watched.look() for _ in range(3)] == [True, False, False]


def test_a_file_that_is_being_written_is_left_alone_until_it_rests(file: Path) -> None:
    watched = Watch(file)
    for size in range(3):
        file.write_text("#" * size)
        age(file, seconds=-3600)  # in the future, where no clock can tell how old it is
        assert not watched.look()
        assert watched.pause == SETTLE
    assert [watched.look() for _ in range(2)] == [True, False]
    assert watched.pause == POLL


def test_a_file_written_a_moment_ago_is_looked_at_twice(file: Path) -> None:
    watched = Watch(file)
    age(file, seconds=-1)
    assert [watched.look(), watched.look()] == [False, True]


def test_a_change_that_is_undone_is_none(file: Path) -> None:
    watched = Watch(file)
    before = file.stat()
    age(file, seconds=-1)
    assert not watched.look()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [watched.look(), watched.look()] == [False, False]


def test_another_file_of_the_same_time_and_size_is_a_change(file: Path) -> None:
    watched = Watch(file)
    before = file.stat()
    replace(file, provider("two", "http://127.0.0.1:1"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert watched.look()


def test_a_file_that_went_away_counts_when_it_stays_away_and_when_it_is_back(file: Path) -> None:
    watched = Watch(file)
    file.rename(file.with_suffix(".away"))
    assert [watched.look() for _ in range(3)] == [False, True, False]
    file.with_suffix(".away").rename(file)
    assert watched.look()


def test_the_files_of_secrets_count_too_also_when_they_come_or_are_named_later(file: Path) -> None:
    watched = Watch(file)
    key = file.with_name("key")
    key.write_text("sk-1")
    age(key)
    assert not watched.look()
    replace(file, SECRET)
    age(file, seconds=30)
    assert watched.look()
    assert not watched.look()
    replace(key, "sk-2")
    age(key, seconds=30)
    assert watched.look()
    key.unlink()
    assert [watched.look() for _ in range(3)] == [False, True, False]
    key.write_text("sk-3")
    age(key, seconds=20)
    assert watched.look()


@pytest.mark.parametrize("content", [b"[proxy\n", b"\xff", b'[proxy]\napi_key = "file:\\u0000"\n'])
def test_what_is_no_configuration_is_watched_like_any(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    age(file)
    watched = Watch(file)
    assert not watched.look()
    age(file, seconds=30)
    assert watched.look()


# What is applied.


class Reloading:
    """A reloader that runs."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.apply, self._configs = trio.open_memory_channel[Config](100)
        self._warned, self._more_warnings = trio.open_memory_channel[str](100)
        self.reloader: Reloader

    def sink(self, event: Event) -> None:
        assert isinstance(event, Warned)
        self.warnings.append(event.message)
        self._warned.send_nowait(self.warnings[-1])

    async def next(self) -> Config:
        return await self._configs.receive()

    async def warning(self) -> str:
        return await self._more_warnings.receive()


@asynccontextmanager
async def reloading(
    source: Source, *, host: str = "127.0.0.1", complete: Complete = as_it_is
) -> AsyncIterator[Reloading]:
    made = Reloading()
    watch = None if source.path is None else Watch(source.path)
    made.reloader = Reloader(source.load, host=host, watch=watch, sink=made.sink, complete=complete)
    # No deadline: a clock that jumps while a thread works would jump to it.
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.reloader.run, made.apply.send_nowait)
        yield made
        nursery.cancel_scope.cancel()


def names(config: Config) -> list[str]:
    return [provider.name for provider in config.providers]


async def test_a_changed_file_is_applied_within_seconds(file, autojump_clock):
    async with reloading(Source(str(file), {})) as running:
        for name in ("two", "three"):
            began = trio.current_time()
            replace(file, provider(name, "http://127.0.0.1:1"))
            assert names(await running.next()) == [name]
            assert trio.current_time() - began <= POLL + SETTLE
    assert running.warnings == []


async def test_what_cannot_be_used_is_said_once_line_by_line_and_what_follows_is_applied(file, autojump_clock):
    async with reloading(Source(str(file), {})) as running:
        replace(file, '[proxy]\nprot = 1\nport = "x"\n')
        await running.warning()
        await running.warning()
        await trio.sleep(10 * POLL)
        replace(file, provider("two", "http://127.0.0.1:1"))
        assert names(await running.next()) == ["two"]
    assert [line.split(": ")[:2] for line in running.warnings] == [
        ["the configuration stays what it was", "proxy.prot"],
        ["the configuration stays what it was", "proxy.port"],
    ]


async def test_a_file_that_is_gone_is_said_and_changes_nothing(file, autojump_clock):
    async with reloading(Source(str(file), {})) as running:
        text = file.read_text()
        file.unlink()
        await running.warning()
        file.write_text(text)
        assert names(await running.next()) == ["one"]
    (warning,) = running.warnings
    assert warning.startswith("the configuration stays what it was: cannot read the configuration ")


async def test_warnings_of_a_new_configuration_are_said(file, autojump_clock):
    async with reloading(Source(str(file), {})) as running:
        replace(file, f'{SECRET}[proxy]\nauth_mode = "off"\napi_key = "sk-c"\n[record]\ndir = "d"\n')
        await running.next()
    missing, silent, unasked, unused = running.warnings
    assert "unreadable or empty" in missing
    assert "will not answer" in silent
    assert "are not asked for" in unasked
    assert unused == "not yet in effect: record.dir"


async def test_asking_reads_a_file_at_once_even_one_that_did_not_change(file, autojump_clock):
    async with reloading(Source(str(file), {"AGCORE_API_KEY": "sk-1"}, host="::1", port=9)) as running:
        began = trio.current_time()
        running.reloader.ask()
        proxy = (await running.next()).proxy
        assert (proxy.host, proxy.port) == ("::1", 9)
        assert trio.current_time() == began


async def test_without_a_file_asking_reads_the_environment(tmp_path, autojump_clock, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"OPENAI_API_KEY": "sk-1", "XDG_CONFIG_HOME": str(tmp_path)}
    (tmp_path / "agcore").mkdir()
    async with reloading(Source(None, environ)) as running:
        environ["ANTHROPIC_API_KEY"] = "sk-2"
        running.reloader.ask()
        assert sorted(names(await running.next())) == ["anthropic", "openai"]
        (tmp_path / "agcore" / "agcore.toml").write_text(provider("late", "http://127.0.0.1:1"))
        running.reloader.ask()
        assert names(await running.next()) == ["late"]


@pytest.mark.parametrize(
    ("host", "text", "why"),
    [
        ("127.0.0.1", '[proxy]\nauth_mode = "strict"\n', "needs a client key"),
        ("0.0.0.0", '[proxy]\nhost = "127.0.0.1"\n', "can be reached from other machines"),
        ("127.0.0.1", '[proxy]\nhost = "0.0.0.0"\n', "can be reached from other machines"),
        ("127.0.0.1", '[proxy]\ntls_cert = "c"\ntls_key = "k"\n', "cannot read "),
    ],
)
async def test_what_could_not_be_started_is_not_applied(file, autojump_clock, host, text, why):
    async with reloading(Source(str(file), {}), host=host) as running:
        replace(file, text + provider("two", "http://127.0.0.1:1"))
        await running.warning()
        replace(file, '[proxy]\napi_key = "sk-c"\n' + provider("three", "http://127.0.0.1:1"))
        assert names(await running.next()) == ["three"]
    (warning,) = running.warnings
    assert why in warning


async def test_what_a_configuration_lacks_is_added(file, autojump_clock):
    async def complete(config: Config) -> Config:
        await trio.sleep(1)
        return Config() if names(config) == ["two"] else config

    async with reloading(Source(str(file), {}), complete=complete) as running:
        replace(file, provider("two", "http://127.0.0.1:1"))
        assert await running.next() == Config()


# The server.


async def test_a_hang_up_signal_has_the_configuration_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ: dict[str, str] = {}
    reloaded = trio.Event()

    class Sink(ListSink):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Reloaded):
                reloaded.set()

    sink = Sink()
    gateway = Gateway(Config(), secret=bytes(32), now=0)
    reloader = Reloader(Source(None, environ).load, host="127.0.0.1", watch=None, sink=sink)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(serve, gateway, host="127.0.0.1", port=0, sink=sink, reloader=reloader)  # type: ignore[arg-type]
            )
            environ["OPENAI_API_KEY"] = "sk-1"
            signal.raise_signal(signal.SIGHUP)
            await reloaded.wait()
            nursery.cancel_scope.cancel()
    assert sink.rows == [LogRow("reload", {"changed": "providers.openai added"})]


async def test_upstream_connections_are_kept_as_long_as_the_new_configuration_says():
    pool = UpstreamPool(idle=60)
    server = Server(Gateway(Config(), secret=bytes(32), now=0), ListSink(), pool=pool)
    server.reconfigure(Config(timeouts=Timeouts(pool_idle=7)))
    assert pool.idle == 7


async def test_no_request_suffers_from_a_configuration_that_is_replaced_under_load(file, monkeypatch):
    monkeypatch.setattr(agcore_host.watch, "POLL", 0.02)
    monkeypatch.setattr(agcore_host.watch, "SETTLE", 0.01)
    reloads, more = trio.open_memory_channel[Event](100)

    class Sink(ListSink):
        def __call__(self, event: Event) -> None:
            if isinstance(event, Reloaded):
                reloads.send_nowait(event)

    with (
        Upstream(lambda _: Answer(pieces=(b'{"choices":[{"message":{"content":"hi"}}]}',))) as first,
        Upstream(first._answer) as second,
    ):
        texts = [provider(name, each.url) for name, each in (("one", first), ("two", second))]
        replace(file, texts[0])
        watch, source, sink = Watch(file), Source(str(file), {}), Sink()
        gateway = Gateway(source.load().parsed.config, secret=bytes(32), now=0)
        reloader = Reloader(source.load, host="127.0.0.1", watch=watch, sink=sink)

        async def change(turn: int) -> None:
            replace(file, texts[(turn + 1) % 2])
            await more.receive()

        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                start = partial(serve, gateway, host="127.0.0.1", port=0, sink=sink, reloader=reloader)
                answers = await ask_through(await nursery.start(start), change)  # type: ignore[arg-type]
                nursery.cancel_scope.cancel()
    assert len(answers) == TURNS * EACH
    assert set(answers) == {(200, "one"), (200, "two")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_the_command_goes_by_a_changed_file_and_by_a_signal(home: Path) -> None:
    path = home / "agcore.toml"
    path.write_text(provider("one", "http://127.0.0.1:1"))
    with agcore(["serve", "--port", "0", "--config", "agcore.toml"], home=home) as command:
        command.url()
        replace(path, '[proxy]\nport = 1\napi_key = "sk-c"\n' + provider("two", "http://127.0.0.1:1"))
        row = command.stderr.until(" reload ")
        assert row.endswith('"proxy.keys.default added, providers.two added, providers.one removed"')
        path.write_text("[proxy\n")
        command.signal(signal.SIGHUP)
        assert "the configuration stays what it was: line 1" in command.stderr.until(" warning ")
        path.write_text("")
        command.signal(signal.SIGHUP)
        assert "providers.demo added" in command.stderr.until(" reload ")
        command.signal(signal.SIGTERM)
        assert command.exit_code() == 0


@pytest.mark.parametrize("ignored", [False, True], ids=["in the foreground", "under nohup"])
def test_a_server_whose_terminal_is_closed_ends_unless_it_was_told_to_ignore_that(home: Path, ignored: bool) -> None:
    file = home / "agcore.toml"
    file.write_text(provider("one", "http://127.0.0.1:1"))
    age(file)  # so that it is read again because somebody asked, and for no other reason
    # The first process of a session takes a terminal; what takes its place keeps both that and what is ignored.
    adopt = "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {}os.execv(sys.executable, sys.argv[1:])"
    ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN); " if ignored else ""
    master, slave = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", adopt.format(ignore), sys.executable, "-m", "agcore_trio", "serve", "--port", "0"],
        stdin=slave,
        stdout=slave,
        stderr=subprocess.PIPE,
        cwd=home,
        env={**quiet_environment(home), "AGCORE_CONFIG": "agcore.toml"},
        start_new_session=True,
    ) as process:
        os.close(slave)
        try:
            seen = b""
            while b"\n" not in seen:
                seen += os.read(master, 1000)
            assert seen.startswith(b"listening on ")
            assert process.stderr is not None
            rows = Lines(process.stderr)
            assert rows.next().startswith("agcore: ")  # the line that says what is served
            process.send_signal(signal.SIGHUP)
            assert " reload " in rows.next()
            os.close(master)
            if ignored:
                assert " reload " in rows.next()
                process.send_signal(signal.SIGTERM)
            rows.until(" drain ")
            assert process.wait(PATIENCE) == 0
        finally:
            with suppress(OSError):
                os.close(master)
            process.kill()
