"""What is known of keys outlives `agcore serve`, in a file beside its configuration."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from tests.support.commands import agcore
from tests.support.reloading import post, provider
from tests.support.upstreams import Answer, Upstream

LIMITED = Answer(429, ((b"content-type", b"application/json"), (b"retry-after", b"600")))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    return tmp_path


def test_a_limit_outlives_the_server_in_a_file_beside_its_configuration(home: Path) -> None:
    state = home / "conf" / "state.json"
    with Upstream(lambda _: LIMITED) as upstream:
        (home / "conf" / "agcore.toml").write_text(
            f'[pool]\nstate_file = "state.json"\n{provider("one", upstream.url)}'
        )
        serve = ["serve", "--port", "0", "--config", "conf/agcore.toml"]
        for _ in range(2):
            with agcore(serve, home=home) as command:
                assert post(command.url())[0] == 429
                command.signal(signal.SIGTERM)
                assert command.exit_code() == 0
            assert len(upstream.requests) == 1
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        assert "sk-upstream" not in state.read_text()
        state.write_bytes(b"\xffgarbage")
        with agcore(serve, home=home) as command:
            assert post(command.url())[0] == 429
            assert "the saved state of the keys cannot be used: " in command.stderr.until(" warning ")
            command.signal(signal.SIGTERM)
            assert command.exit_code() == 0
        assert len(upstream.requests) == 2
        assert state.read_text().startswith("{")
