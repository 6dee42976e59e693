"""What is known of keys, in a file: when it is written, how, and that nothing depends on it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest
import trio

from agcore.config.values import Config, Pool
from agcore.protocol.effects import Emit
from agcore.protocol.events import Warned
from agcore_host.private_files import write
from agcore_host.state_file import SAVE, StateFile
from agcore_trio.clock import Clock
from agcore_trio.reload import save_often
from tests.trio_server.toys import ListSink


class Learning:
    """A gateway that has a new state whenever it is asked to learn."""

    def __init__(self, path: Path) -> None:
        self.config = Config(pool=Pool(state_file=str(path)))
        self.state: bytes | None = None

    def learn(self, state: bytes) -> None:
        self.state = state

    def unsaved_state(self, *, now: float) -> bytes | None:
        state, self.state = self.state, None
        return state


def test_a_file_is_private_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("older and longer")
    path.chmod(0o644)
    with path.open() as reader:
        write(str(path), b"new")
        assert reader.read() == "older and longer"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["state"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "state")
    write(str(link), b"new")
    assert link.is_symlink()
    assert link.read_bytes() == b"new"


def test_what_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError, match="state"):
        write(str(tmp_path / "state"), b"new")
    assert os.listdir(tmp_path) == ["state"]


async def test_a_state_is_saved_within_seconds_and_only_when_it_has_changed(tmp_path, autojump_clock):
    path = tmp_path / "state"
    gateway = Learning(path)
    sink = ListSink()
    file = StateFile(gateway, Clock(), sink, in_thread=trio.to_thread.run_sync)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(save_often, file)
        await trio.sleep(3 * SAVE)
        assert not path.exists()
        for state in (b"one", b"two"):
            gateway.learn(state)
            while not path.exists():  # noqa: ASYNC110 - what happens is the file
                await trio.sleep(SAVE)
            assert path.read_bytes() == state
            path.unlink()
        await trio.sleep(3 * SAVE)
        assert not path.exists()
        nursery.cancel_scope.cancel()
    assert sink.rows == []


async def test_failing_is_said_once_and_made_up_for(tmp_path):
    folder = tmp_path / "later"
    gateway = Learning(folder / "state")
    sink = ListSink()
    file = StateFile(gateway, Clock(), sink, in_thread=trio.to_thread.run_sync)  # type: ignore[arg-type]
    gateway.learn(b"one")
    for _ in range(3):
        await file.save()
    (row,) = sink.rows
    assert row.fields["message"] == f"cannot write the state file {folder / 'state'}: no such file or directory"
    folder.mkdir()
    await file.save()
    assert (folder / "state").read_bytes() == b"one"
    assert len(sink.rows) == 1


async def test_without_a_name_nothing_is_saved_and_a_name_may_come_later(tmp_path):
    gateway = Learning(tmp_path / "state")
    named, gateway.config = gateway.config, Config()
    file = StateFile(gateway, Clock(), ListSink(), in_thread=trio.to_thread.run_sync)  # type: ignore[arg-type]
    gateway.learn(b"one")
    await file.save()
    gateway.config = named
    await file.save()
    assert (tmp_path / "state").read_bytes() == b"one"


async def test_a_file_that_cannot_be_read_is_a_note(tmp_path):
    gateway = Learning(tmp_path)
    (effect,) = StateFile(gateway, Clock(), ListSink(), in_thread=trio.to_thread.run_sync).restore()  # type: ignore[arg-type]
    assert isinstance(effect, Emit)
    assert effect.event == Warned(f"cannot read the state file {tmp_path}: is a directory")
    gateway.config = msgspec.structs.replace(gateway.config, pool=Pool(state_file=str(tmp_path / "absent")))
    assert StateFile(gateway, Clock(), ListSink(), in_thread=trio.to_thread.run_sync).restore() == []  # type: ignore[arg-type]
