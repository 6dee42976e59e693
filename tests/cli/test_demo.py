from __future__ import annotations

import io
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import trio

from agcore.codecs.sse import Decoder
from agcore.demo import provider as demo
from agcore.protocol.inputs import UpstreamData, UpstreamEnd, UpstreamHead
from agcore_cli.demo import Answer, ask, show
from agcore_cli.recipes import Recipe, recipes
from agcore_cli.samples import SAMPLES, Sample
from agcore_cli.terminal import WIDEST, Paper, table
from agcore_trio.upstream import UpstreamPool
from tests.support.commands import Command, agcore, quiet_environment
from tests.support.patience import PATIENCE

BY_PROTOCOL = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.protocol)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def demo_answer(sample: Sample) -> bytes:
    said = demo.demo_answer("POST", sample.target.encode(), (), msgspec.json.encode(sample.body))
    assert said.status == 200
    return b"".join(chunk.data for chunk in said.chunks)


def nowhere() -> str:
    """The URL of a port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


class TestSamples:
    @BY_PROTOCOL
    def test_an_answer_is_read_to_its_end(self, sample: Sample) -> None:
        said = [sample.read(frame) for frame in Decoder().feed(demo_answer(sample)) if frame.data is not None]
        text = "".join(each.text for each in said)
        assert text.startswith(f"[agcore demo] This is {sample.model} over ")
        assert text.endswith(sample.prompt)
        assert [each.last for each in said].index(True) == len(said) - 1
        counts = {each.tokens_in for each in said} - {None}, {each.tokens_out for each in said} - {None}
        assert max(counts[0]) > 0
        assert max(counts[1]) == len(text.split())

    @BY_PROTOCOL
    def test_an_error_in_the_stream_is_not_an_answer(self, sample: Sample) -> None:
        (frame,) = Decoder().feed(b'data: {"type":"error","error":{"message":"no more"}}\n\n')
        with pytest.raises(ValueError, match="no more"):
            sample.read(frame)


class TestAnswer:
    @BY_PROTOCOL
    async def test_text_is_heard_as_it_comes_and_summed_up(self, sample: Sample) -> None:
        heard: list[str] = []
        answer = Answer(sample, heard.append)
        headers = ((b"x-agcore-provider", b"demo"), (b"x-agcore-model", b"m"))
        answer.take(UpstreamHead(1, 200, headers))
        data = demo_answer(sample)
        answer.take(UpstreamData(1, data[:-40]))
        assert heard
        assert answer.problem == "the answer is not complete"
        answer.take(UpstreamData(1, data[-40:]))
        answer.take(UpstreamEnd(1))
        assert answer.problem == ""
        assert answer.summary.startswith("200 from demo/m: first words after ")
        assert "?" not in answer.summary

    async def test_an_error_is_quoted(self) -> None:
        answer = Answer(SAMPLES[0], lambda text: None)
        answer.take(UpstreamHead(1, 503, ()))
        answer.take(UpstreamData(1, b'{"error":'))
        answer.take(UpstreamData(1, b'"closed"}'))
        assert answer.problem == '503 {"error":"closed"}'

    async def test_what_is_no_stream_of_the_protocol_is_a_problem(self) -> None:
        answer = Answer(SAMPLES[0], lambda text: None)
        answer.take(UpstreamHead(1, 200, ()))
        answer.take(UpstreamData(1, b"data: {}\n\n"))
        assert answer.problem.startswith("the answer is not OpenAI Chat Completions: ")

    async def test_a_server_that_is_not_there_is_a_problem(self) -> None:
        answer = Answer(SAMPLES[0], lambda text: None)
        with trio.fail_after(PATIENCE):
            await ask(UpstreamPool(idle=1), nowhere(), answer)
        assert "cannot connect to 127.0.0.1" in answer.problem


async def test_a_show_that_fails_says_so_and_gives_no_recipes() -> None:
    out = io.StringIO()
    with trio.fail_after(PATIENCE):
        assert not await show(Paper(out, {}), nowhere(), "http://127.0.0.1:1")
    text = out.getvalue()
    assert text.count("failed: cannot connect to ") == len(SAMPLES)
    assert text.endswith("\n4 of 4 exchanges failed.\n")
    assert "curl" not in text


class TestDemo:
    def test_it_shows_every_protocol_and_ends_after_one_show(self, tmp_path: Path) -> None:
        with agcore(["demo", "--once"], home=tmp_path) as command:
            shown = command.stdout.rest()
            assert (command.exit_code(), command.stderr.rest()) == (0, "")
        words = " ".join(shown.split())
        for sample in SAMPLES:
            assert f"\n{sample.protocol}\n  POST {sample.target}\n" in shown
            assert f"You said: {sample.prompt} 200 from demo/{sample.model}: first words after " in words
        assert "\x1b" not in shown
        assert "\nWith clients of your own, while `agcore serve` runs:\n" in shown
        assert "\nClaude Code\n" not in shown
        assert "ANTHROPIC_BASE_URL=http://127.0.0.1:" in shown

    def test_a_taken_port_is_replaced_by_a_free_one_unless_it_was_asked_for(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", 8045))
                taken.listen()
            except OSError:
                pass  # somebody else's then
            with agcore(["demo", "--once"], home=tmp_path) as command:
                line = command.stdout.until("  gateway ")
                command.stdout.rest()
                assert command.exit_code() == 0
            with agcore(["demo", "--once", "--port", "8045"], home=tmp_path) as command:
                assert command.exit_code() == 2
                assert command.stderr.rest().startswith("agcore: error: cannot listen on 127.0.0.1:8045: ")
        assert not line.endswith(":8045")

    def test_an_interrupt_in_mid_show_ends_it(self, tmp_path: Path) -> None:
        with agcore(["demo", "--port", "0"], home=tmp_path) as command:
            command.stdout.until("POST")
            command.signal(signal.SIGINT)
            shown = command.stdout.rest()
            assert command.exit_code() == 130
            assert "keeps running" not in shown
            assert "Traceback" not in command.stderr.rest()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Command, str]]:
    """A demo whose show is over, and the gateway's URL."""
    with agcore(["demo", "--port", "0"], home=tmp_path_factory.mktemp("home")) as command:
        url = command.stdout.until("  gateway ").split()[-1]
        command.stdout.until("The gateway keeps running")
        yield command, url
        command.signal(signal.SIGINT)
        assert command.exit_code() == 0
        # Which of the recipes ran here, a runner of several processes decides.
        assert re.search(r"POST /v1/\S+ 200", command.stderr.rest())


NAMES = [recipe.title for recipe in recipes("")]
RUNNABLE = [title for title in NAMES if title.startswith(("curl", "Python"))]


class TestRecipes:
    @pytest.mark.parametrize("title", RUNNABLE)
    def test_what_is_there_to_copy_works(self, title: str, running: tuple[Command, str], tmp_path: Path) -> None:
        _, url = running
        recipe: Recipe = next(recipe for recipe in recipes(url) if recipe.title == title)
        if recipe.language == "sh" and shutil.which("curl") is None:
            pytest.skip("there is no curl")
        command = [sys.executable, "-c", recipe.text] if recipe.language == "python" else ["sh", "-c", recipe.text]
        done = subprocess.run(
            command, capture_output=True, env=quiet_environment(tmp_path), timeout=PATIENCE, check=False, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "[agcore" in done.stdout

    def test_the_agents_of_the_command_line_are_among_them(self) -> None:
        assert NAMES[-3:] == ["Claude Code", "Codex", "Gemini CLI"]
        for recipe in recipes("http://127.0.0.1:8045")[-3:]:
            assert "http://127.0.0.1:8045" in recipe.text


class TestPaper:
    def test_styles_are_for_terminals(self) -> None:
        assert Paper(Terminal(), {}).style("x", "bold") == "\x1b[1mx\x1b[0m"
        assert Paper(io.StringIO(), {}).style("x", "bold") == "x"

    @pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_a_terminal_without_styles_gets_none(self, environ: dict[str, str]) -> None:
        assert Paper(Terminal(), environ).style("x", "red") == "x"

    def test_an_empty_no_color_means_nothing(self) -> None:
        assert Paper(Terminal(), {"NO_COLOR": ""}).style("x", "red") != "x"

    def test_pieces_of_words_join_and_words_wrap(self) -> None:
        out = io.StringIO()
        paper = Paper(out, {})
        for piece in ["one ", "two", "-and-a-half", "  three\n", *(f" {'x' * 9}" for _ in range(12))]:
            paper.stream(piece, indent=2)
        paper.line("end")
        first, *more, last = out.getvalue().splitlines()
        assert first.startswith("  one two-and-a-half three xxxxxxxxx ")
        assert last == "end"
        assert more
        assert all(line.startswith("  xxxxxxxxx") for line in more)
        assert max(map(len, [first, *more])) <= WIDEST

    def test_a_word_longer_than_a_line_is_left_whole(self) -> None:
        out = io.StringIO()
        Paper(out, {}).stream("x" * 300, indent=2)
        assert out.getvalue() == "  " + "x" * 300

    def test_columns_are_as_wide_as_their_widest_cell(self) -> None:
        assert table([("a", "b"), ("long", "")]) == ["a     b", "long"]
