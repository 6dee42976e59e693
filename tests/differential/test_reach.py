"""Both frontends reach equally far: the same files are read, the same addresses refused, for the same reasons."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

import agcore_host.files
from agcore.protocol.effects import ReadFile
from agcore.protocol.inputs import FileRead, FileRefused, Sent, Stage, UpstreamFailed
from tests.differential.cases import Case
from tests.differential.test_differential import through_a_mount, through_asgi, through_trio
from tests.support.reach_machine import ReachGateway, fetches, reads

LIMIT = 100
NO = "is not a readable file below the allowed directories"
TOO_LARGE = "is larger than 100 bytes"
Reader = Callable[[ReadFile], FileRead | FileRefused]


@pytest.fixture(params=[agcore_host.files.read_file, agcore_host.files.read_file], ids=["trio", "asgi"])
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Each frontend's way to read a file, which must leave no file open."""
    before = len(os.listdir("/dev/fd"))
    yield request.param
    assert len(os.listdir("/dev/fd")) == before


class Disk:
    """An allowed directory, and beside it what nobody may read."""

    def __init__(self, path: Path) -> None:
        self.root = path / "pictures"
        (self.root / "new").mkdir(parents=True)
        (path / "pictures-private").mkdir()
        self.picture = self.put(self.root / "new" / "a.png", b"picture")
        self.secret = self.put(path / "pictures-private" / "key", b"secret")

    @staticmethod
    def put(path: Path, data: bytes) -> Path:
        path.write_bytes(data)
        return path


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(Path(os.path.realpath(tmp_path)))


def told(reader: Reader, path: object, *roots: object) -> bytes | str:
    """The bytes that were read, or why they were not."""
    match reader(ReadFile(7, str(path), tuple(map(str, roots)), LIMIT)):
        case FileRead(7, data):
            return data
        case FileRefused(7, reason):
            return reason
    raise AssertionError("another file")


def test_a_file_below_a_root_is_read_however_the_root_is_written(disk: Disk, reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(disk.root)
    for root in (disk.root, f"{disk.root}/", f"{disk.root}/../pictures", tmp_path / "link", "/", disk.picture):
        assert told(reader, disk.picture, root) == b"picture"
    assert told(reader, disk.picture, tmp_path / "nowhere", disk.root) == b"picture"
    assert told(reader, f"{disk.root}/new/../new/./a.png", disk.root) == b"picture"
    assert told(reader, tmp_path / "link" / "new" / "a.png", disk.root) == b"picture"


@pytest.mark.parametrize(("size", "enough"), [(0, True), (LIMIT, True), (LIMIT + 1, False), (10_000_000, False)])
def test_a_file_is_read_whole_or_not_at_all(disk: Disk, reader: Reader, size: int, enough: bool) -> None:
    path = disk.put(disk.root / "file", bytes(size))
    assert told(reader, path, disk.root) == (bytes(size) if enough else TOO_LARGE)


def test_a_file_that_grows_while_it_is_looked_at_is_too_large(
    disk: Disk, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    fstat = os.fstat

    def grow(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        disk.put(disk.picture, bytes(LIMIT + 1))
        return status

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", grow)
        assert told(reader, disk.picture, disk.root) == TOO_LARGE


def test_nothing_outside_of_the_roots_is_read_and_no_answer_tells_what_is_there(disk: Disk, reader: Reader) -> None:
    large = disk.put(disk.secret.parent / "large", bytes(LIMIT + 1))
    out = disk.root / "out"
    out.symlink_to(disk.secret.parent)
    key = disk.root / "key"
    key.symlink_to(disk.secret)
    loop = disk.root / "loop"
    loop.symlink_to(loop)
    for path in (
        disk.secret,
        large,
        disk.secret.parent / "nothing",
        disk.secret.parent,
        f"{disk.root}/../pictures-private/key",
        f"{disk.root}/new/../../pictures-private/key",
        out / "key",
        out / "large",
        out / "nothing",
        key,
        loop,
        disk.root,
        disk.root / "nothing",
        f"{disk.picture}/",
        f"{disk.picture}/more",
        "/etc/passwd",
        "/proc/self/environ",
    ):
        assert told(reader, path, disk.root) == NO, path


def test_only_regular_files_are_read_and_a_pipe_makes_nobody_wait(disk: Disk, reader: Reader) -> None:
    os.mkfifo(disk.root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(disk.root / "socket"))
        for name in ("pipe", "socket", "new"):
            assert told(reader, disk.root / name, disk.root) == NO
    assert told(reader, "/dev/null", "/dev") == NO
    assert told(reader, "/dev/zero", "/") == NO


def test_what_is_no_regular_file_is_not_even_opened(
    disk: Disk, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(disk.root / "pipe")
    opened: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda path, *_: opened.append(path))
        for path in (disk.root / "pipe", disk.root, "/dev/null", disk.secret):
            assert told(reader, path, disk.root, "/dev") == NO
    assert opened == []


def test_paths_and_roots_that_depend_on_where_the_server_was_started_are_refused(
    disk: Disk, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(disk.root)
    for path in ("new/a.png", "./new/a.png", "", ".", "~/a.png", "file:///etc/passwd"):
        assert told(reader, path, disk.root) == NO
    for root in ("", ".", "new", "../pictures"):
        assert told(reader, disk.picture, root) == NO
    assert told(reader, disk.picture) == NO


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000, "x/" * 5000], ids=ascii)
def test_a_name_that_no_file_can_have_is_refused(disk: Disk, reader: Reader, name: str) -> None:
    assert told(reader, f"{disk.root}/{name}", disk.root) == NO
    assert told(reader, disk.picture, f"/{name}") == NO


@pytest.fixture(params=["with /proc", "without /proc"])
def proc(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that tells where an open file is, and one that does not."""
    readlink = os.readlink

    def absent(path: str) -> str:
        if str(path).startswith("/proc/"):
            raise FileNotFoundError(path)
        return readlink(path)

    if request.param == "without /proc":
        monkeypatch.setattr(os, "readlink", absent)


@pytest.mark.usefixtures("proc")
def test_what_was_opened_decides_and_not_what_the_path_led_to_before(
    disk: Disk, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ = os.open

    def swap(path: str, flags: int) -> int:
        disk.picture.unlink()
        disk.picture.symlink_to(disk.secret)
        return open_(path, flags)

    assert told(reader, disk.picture, disk.root) == b"picture"
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", swap)
        assert told(reader, disk.picture, disk.root) == NO


@pytest.mark.usefixtures("proc")
def test_a_path_that_leads_elsewhere_after_opening_gives_what_was_opened_or_nothing(
    disk: Disk, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ = os.open

    def swap(path: str, flags: int) -> int:
        descriptor = open_(path, flags)
        with suppress(FileNotFoundError):
            disk.picture.rename(disk.root / "moved")
        disk.put(disk.picture, b"another")
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", swap)
        assert told(reader, disk.picture, disk.root) in (b"picture", NO)


# Whole exchanges.

ASK = Case("ask", "POST", "/", body=b"{}")
FRONTENDS = (through_trio, through_asgi, through_a_mount)


async def answers(make: Callable[[], ReachGateway]) -> list[tuple[int, bytes]]:
    """What each frontend answers; that each of them told its machine the same."""
    seen, facts = [], []
    for through in FRONTENDS:
        gateway = make()
        answer = await through(ASK, gateway)  # type: ignore[arg-type]
        seen.append((answer.status, answer.body))
        facts.append(gateway.exchanges[0].inputs[-1])
    assert facts == [facts[0]] * len(FRONTENDS)
    return seen


async def test_every_frontend_reads_a_file_for_an_exchange_that_has_no_leg(disk: Disk) -> None:
    for path, expected in (
        (disk.picture, (200, b"picture")),
        (disk.secret, (403, NO.encode())),
        (disk.put(disk.root / "large", bytes(LIMIT + 1)), (403, TOO_LARGE.encode())),
    ):
        seen = await answers(lambda path=path: reads(str(path), roots=(str(disk.root),)))  # type: ignore[misc]
        assert seen == [expected] * len(FRONTENDS)


async def test_every_frontend_refuses_a_leg_that_leads_to_this_machine() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    with listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            cause = f"cannot connect to {host}:{port}: it is not a public address"
            seen = await answers(lambda host=host: fetches(host, port))  # type: ignore[misc]
            assert seen == [(403, cause.encode())] * len(FRONTENDS)
            gateway = fetches(host, port)
            await through_trio(ASK, gateway)  # type: ignore[arg-type]
            failed = UpstreamFailed(1, Stage.CONNECT, Sent.NONE, reused=False, cause=cause)
            assert gateway.exchanges[0].inputs[-1] == failed
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_every_frontend_reaches_this_machine_by_a_leg_that_may() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        seen = await answers(lambda: fetches("127.0.0.1", port, public_only=False))
        nursery.cancel_scope.cancel()
    assert seen == [(200, b"ok")] * len(FRONTENDS)
