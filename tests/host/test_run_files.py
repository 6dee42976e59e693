"""Run files: which gateways run, as commands find them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from agcore_host.places import Found
from agcore_host.run_files import RunFile, running, seen_from_here


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"AGCORE_STATE_DIR": str(tmp_path / "state")}


def test_a_gateway_is_found_while_it_runs(tmp_path: Path, environ: dict[str, str]) -> None:
    config = tmp_path / "a.toml"
    mine = RunFile(environ, Found(config))
    assert mine.write("http://127.0.0.1:8045") == ""
    path = tmp_path / "state" / "run" / "8045.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (run,) = running(environ)
    assert (run.address, run.pid, run.config, run.guarded) == (
        "http://127.0.0.1:8045",
        os.getpid(),
        str(config),
        False,
    )
    mine.remove()
    assert running(environ) == []
    assert not path.exists()
    mine.remove()


def test_the_newest_comes_first_and_the_dead_do_not_count(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = tmp_path / "state" / "run"
    folder.mkdir(parents=True)

    def put(port: int, **members: object) -> None:
        run = {"address": f"http://127.0.0.1:{port}", "pid": os.getpid(), "config": None, "started": 0.0}
        (folder / f"{port}.json").write_text(json.dumps(run | members))

    put(1, started=5.0)
    put(2, started=9.0)
    put(3, started=7.0, pid=2**22 + 1)
    put(4, started=8.0, pid=2**70)
    put(5, started=1.0, pid=1)  # of another user, where this is not root
    (folder / "6.json").write_text("{")
    assert [run.address.rpartition(":")[2] for run in running(environ)] == ["2", "1", "5"]


def test_a_file_that_another_gateway_has_written_since_stays(tmp_path: Path, environ: dict[str, str]) -> None:
    mine = RunFile(environ, Found(None))
    mine.write("http://127.0.0.1:8045")
    path = tmp_path / "state" / "run" / "8045.json"
    path.write_text(path.read_text().replace(f'"pid":{os.getpid()}', '"pid":1'))
    mine.remove()
    assert path.exists()


def test_a_state_directory_that_cannot_be_had_is_a_sentence(tmp_path: Path) -> None:
    assert RunFile({}, Found(None)).write("http://127.0.0.1:1") == (
        "commands will not find this gateway: there is no place for a state directory; set AGCORE_STATE_DIR"
    )
    (tmp_path / "file").touch()
    said = RunFile({"AGCORE_STATE_DIR": str(tmp_path / "file")}, Found(None)).write("http://127.0.0.1:1")
    assert said.startswith("commands will not find this gateway: cannot write ")
    assert running({"AGCORE_STATE_DIR": str(tmp_path / "file")}) == running({}) == []


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("http://127.0.0.1:8045", "http://127.0.0.1:8045"),
        ("http://0.0.0.0:8045/llm/", "http://127.0.0.1:8045/llm"),
        ("https://[::]:1", "https://[::1]:1"),
        ("https://localhost", "https://localhost"),
    ],
)
def test_an_address_is_one_that_this_machine_can_connect_to(address: str, seen: str) -> None:
    assert seen_from_here(address) == seen


@pytest.mark.parametrize(("address", "port"), [("http://localhost", 80), ("https://localhost", 443)])
def test_the_usual_port_is_a_port_too(address: str, port: int, tmp_path: Path, environ: dict[str, str]) -> None:
    RunFile(environ, Found(None)).write(address)
    assert (tmp_path / "state" / "run" / f"{port}.json").exists()
