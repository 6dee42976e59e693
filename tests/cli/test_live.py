"""`agcore check --live`: every key is tried, and the table says what came of it."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path

import pytest

from agcore_cli.live import Tried, report
from agcore_cli.main import main
from tests.support.commands import configure
from tests.support.upstreams import Answer, Recorded, Upstream

GOOD, BAD = "sk-good-0123456789abcdef", "sk-bad-0123456789abcdef"
PROVIDER = '[[providers]]\nname = "{}"\ndialect = "openai"\nbase_url = "{}/v1"\nkeys = {}\n'


def answer(request: Recorded) -> Answer:
    """A vendor that knows one key, and repeats another one."""
    assert (request.method, request.target) == ("GET", b"/v1/models")
    key = request.fields[b"authorization"].removeprefix(b"Bearer ").decode()
    if key == GOOD:
        return Answer(pieces=(b'{"data":[{"id":"llama"},{"id":"qwen"}]}' + b" " * 10_000,))
    body = {"error": {"message": f"no\n such key: {key}\x1b[2J"}}
    return Answer(status=401, pieces=(json.dumps(body).encode(),))


def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def checked(text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code and what is printed below the heading."""
    Path("my.toml").write_text(text, encoding="utf-8")
    code = main(["check", "--live", "--config", "my.toml"])
    out, err = capsys.readouterr()
    assert err == ""
    assert GOOD not in out
    assert BAD not in out
    before, _, live = out.partition("\nLive\n")
    assert before.startswith("Configuration\n  my.toml\n")
    return code, live.splitlines()


def test_keys_that_work_are_shown_and_are_a_success(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proxy = '[proxy]\nauth_mode = "strict"\napi_key = "sk-client-0123456789abcdef"\n'
    limits = "[limits]\nmax_json_mb = 0.001\nmax_buffered_mb = 0.001\nmax_header_kb = 1\n[timeouts]\nrequest = 0.1\n"
    with Upstream(answer) as upstream:
        code, lines = checked(proxy + limits + PROVIDER.format("vendor", upstream.url, f'["{GOOD}"]'), capsys)
    assert code == 0
    assert lines[0].split() == ["KEY", "WORKS", "LATENCY", "MODELS"]
    key, works, latency, unit, models = lines[1].split()
    assert (key, works, latency.isdigit(), unit, models, lines[2:]) == ("vendor#1", "yes", True, "ms", "2", [])


def test_each_key_that_does_not_work_is_told_with_the_reason(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Upstream(answer) as upstream:
        first = PROVIDER.format("vendor", upstream.url, f'["{GOOD}", "{BAD}"]')
        code, lines = checked(
            first + PROVIDER.format("down", f"http://127.0.0.1:{closed_port()}", f'["{GOOD}"]'), capsys
        )
    assert code == 1
    assert [line.split()[:2] for line in lines[1:]] == [["vendor#1", "yes"], ["vendor#2", "no"], ["down#1", "no"]]
    assert lines[2].endswith("the provider refused the gateway's credential vendor#2 (401): no such key: vendor#2 [2J")
    assert "connection refused" in lines[3]


def test_models_that_a_line_names_in_vain_are_a_warning(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Upstream(answer) as upstream:
        text = PROVIDER.format("vendor", upstream.url, f'["{GOOD}"]')
        code, lines = checked(text + '[models]\n"a" = ["vendor/llama", "vendor/gpt-x"]\n"b" = "vendor/*"\n', capsys)
    assert (code, lines[2:]) == (0, ["  warning: [models] names what the list of vendor#1 does not have: gpt-x"])


def test_without_providers_there_is_nothing_to_try(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--live"]) == 0
    assert capsys.readouterr().out.endswith("\nLive\n  nothing to try: no provider is configured\n")


def test_providers_of_the_environment_are_tried(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", BAD)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    assert main(["check", "--live"]) == 1
    out = capsys.readouterr().out
    assert "\n  openai#1  no " in out
    assert "connection refused" in out
    assert BAD not in out


def test_what_would_not_start_is_not_tried(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Upstream(answer) as upstream:
        text = '[proxy]\nauth_mode = "strict"\n' + PROVIDER.format("vendor", upstream.url, f'["{GOOD}"]')
        configure(home, text)
        assert main(["check", "--live"]) == 2
        assert upstream.requests == []
    assert "Live" not in capsys.readouterr().out


def test_a_key_that_could_not_be_checked_is_not_said_to_work() -> None:
    (_, line) = report((Tried("p", "p#1", ok=True, latency_ms=7, note="it has no model list"),))
    assert line.split()[:4] == ["p#1", "?", "7", "ms"]
    assert line.endswith("it has no model list")


def test_the_table_has_room_for_what_is_not_known() -> None:
    (head, line) = report((Tried("p", "p#1", ok=False, error="no key is configured"),))
    assert (head.split()[0], line.split("  ")[0], line.split()[1]) == ("KEY", "p#1", "no")
    assert line.endswith("no key is configured")
    (_, long) = report((Tried("p", "p#1", ok=False, error="x" * 1000),))
    assert long.endswith("x...")
    assert len(long) < 400
