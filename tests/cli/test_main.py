from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from agcore import __version__
from agcore.ingress.routes import ROUTES
from agcore_cli.main import main
from tests.support.commands import agcore, configure, quiet_environment
from tests.support.patience import PATIENCE

KEY = "sk-client-0123456789abcdef"
PROVIDER = '[[providers]]\nname = "local"\ndialect = "openai"\nbase_url = "http://127.0.0.1:{}/v1"\nmodels = ["*"]\n'
QUESTION = {"model": "any", "messages": [{"role": "user", "content": "hello"}]}


def post(url: str, body: object, *, path: str = "/v1/chat/completions") -> tuple[int, bytes]:
    with connected(url) as connection:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()


@contextmanager
def connected(url: str) -> Iterator[http.client.HTTPConnection]:
    where = urlsplit(url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)) as connection:
        yield connection


class TestCommandLine:
    def test_without_a_verb_there_is_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("usage: agcore")
        assert "examples:" in shown
        for verb in ("serve", "demo", "init", "trust", "env", "check", "models", "routes"):
            assert f"    {verb} " in shown

    def test_the_version_is_the_gateways(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as end:
            main(["--version"])
        assert end.value.code == 0
        assert capsys.readouterr().out == f"agcore {__version__}\n"

    @pytest.mark.parametrize("verb", ["serve", "demo", "init", "trust", "env", "check", "models", "routes"])
    def test_each_verb_has_help(self, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as end:
            main([verb, "--help"])
        assert end.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: agcore {verb}")

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["sreve"], "invalid choice: 'sreve'"),
            (["staus"], "; did you mean status?; see `agcore --help`"),
            (["env", "cluade"], "; did you mean claude?; see `agcore env --help`"),
            (["serve", "--port", "70000"], "'70000' is not a port number from 0 to 65535"),
            (["serve", "--port", "-1"], "port"),
            (["serve", "--host", "http://x"], "'http://x' is not a host name or IP address"),
            (["serve", "--log-format", "xml"], "invalid choice: 'xml'"),
            (["serve", "--conf", "x"], "unrecognized arguments: --conf x"),
            (["check", "--config"], "expected one argument"),
        ],
    )
    def test_what_cannot_be_understood_is_one_line(
        self, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("agcore: error: ")
        assert complaint in err
        assert err.count("\n") == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            ["show", "trace"],
            ["replay", "trace"],
            ["serve", "--workers", "2"],
            ["serve", "--http", "auto"],
            ["serve", "--record", "dir"],
        ],
    )
    def test_what_belongs_to_later_work_is_absent(self, arguments: list[str]) -> None:
        assert main(arguments) == 2

    def test_a_reader_who_has_seen_enough_is_no_error(self, home: Path) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-m", "agcore_trio", "routes"],
            stdout=writing,
            stderr=subprocess.PIPE,
            env=quiet_environment(home),
            timeout=PATIENCE,
            check=False,
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b"")


class TestCheck:
    def test_a_configuration_is_explained_without_its_secrets(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(home, f'[proxy]\napi_key = "{KEY}"\n{PROVIDER.format(1)}')
        assert main(["check"]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("Configuration\n  agcore.toml\n")
        assert "http://127.0.0.1:1/v1" in shown
        assert KEY not in shown

    def test_all_problems_come_at_once_and_as_one_complaint(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(home, '[proxy]\nprot = 1\n[[providers]]\nname = "x"\ndialect = "klingon"\nbase_url = "ftp://x"\n')
        assert main(["check", "--config", "agcore.toml"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        first, *details = err.splitlines()
        assert first == "agcore: error: 3 problems in the configuration of agcore.toml"
        assert [line.split(":")[0].strip() for line in details] == [
            "proxy.prot",
            "providers[0].dialect",
            "providers[0].base_url",
        ]

    def test_a_configuration_that_may_not_be_served_is_explained_and_refused(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(home, f'[proxy]\nauth_mode = "strict"\n{PROVIDER.format(1)}')
        assert main(["check"]) == 2
        out, err = capsys.readouterr()
        assert "Providers\n  local" in out
        assert "needs a client key" in err


class TestModels:
    def test_names_are_listed_with_where_they_go(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        configure(home, f'{PROVIDER.format(1)}[models]\n"fast" = "local/gpt-4o-mini"\n')
        assert main(["models"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["NAME", "GOES", "TO", "CAN", "DO"]
        assert lines[1].split()[:2] == ["fast", "local/gpt-4o-mini"]
        assert lines[-1].split() == ["local", "*"]

    def test_a_name_resolves_by_a_rule(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        second = PROVIDER.format(2).replace('"local"', '"spare"')
        configure(home, f'{PROVIDER.format(1)}{second}[models]\n"fast" = ["local/gpt-4o-mini", "spare/x"]\n')
        assert main(["models", "fast"]) == 0
        assert capsys.readouterr().out.splitlines()[:4] == [
            "fast",
            '  rule     [models] "fast"',
            "  goes to  local/gpt-4o-mini  (openai)",
            "  then     spare/x  (openai)",
        ]

    def test_a_pool_is_shown_with_its_weights(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        second = PROVIDER.format(2).replace('"local"', '"spare"') + "weight = 2.5\n"
        rule = '"fast-*" = [["local/*", "spare/x"], "spare/y", ["local/a", "local/b"]]'
        configure(home, f"{PROVIDER.format(1)}{second}[models]\n{rule}\n")
        assert main(["models", "fast-1"]) == 0
        assert capsys.readouterr().out.splitlines()[:7] == [
            "fast-1",
            '  rule     [models] glob "fast-*"',
            "  goes to  local/fast-1  (openai)  weight 1",
            "  or       spare/x  (openai)  weight 2.5",
            "  then     spare/y  (openai)",
            "  then     local/a  (openai)  weight 1",
            "  or       local/b  (openai)  weight 1",
        ]

    def test_where_a_name_goes_for_others_is_shown_below(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        gemini = '[models.gemini]\n"x" = "local/a"\n"y" = "local/b"\n'
        anthropic = '[models.anthropic]\n"z" = "local/c"\n'
        nothing = PROVIDER.format(1).replace('"*"', "")
        configure(home, f'{nothing}[models]\n"x" = "local/a"\n{gemini}{anthropic}')
        assert main(["models"]) == 0
        assert [line.partition("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
            *("NAME", "x", ""),
            *("NAME, FOR gemini CLIENTS", "y", ""),
            *("NAME, FOR anthropic CLIENTS", "z"),
        ]
        assert main(["models", "x"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if "rule" in line or not line.startswith(" ")] == [
            "x",
            '  rule     [models] "x"',
            "x, for gemini clients",
            '  rule     [models.gemini] "x"',
        ]
        assert main(["models", "z"]) == 0
        assert capsys.readouterr().out.startswith('z, for anthropic clients\n  rule     [models.anthropic] "z"\n')

    def test_a_name_that_nobody_serves_is_a_no_with_near_names(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-any")
        assert main(["models", "cloude-sonnet-4-5"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("agcore: error: no provider serves a model of the name 'cloude-sonnet-4-5'\n")
        assert "claude-sonnet-4-5" in err.splitlines()[1]

    def test_without_a_provider_every_name_goes_to_the_demo(
        self, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["models", "anything"]) == 0
        out, err = capsys.readouterr()
        assert "goes to  demo/anything" in out
        assert "built-in demo answers" in err


def test_all_routes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[1:]] == [route.path for route in ROUTES]


class TestServe:
    def test_it_says_when_it_is_ready_answers_and_goes_on_sigterm(self, home: Path) -> None:
        configure(home, PROVIDER.format(1))
        with agcore(["serve", "--port", "0"], home=home) as command:
            with connected(command.url()) as connection:
                connection.request("GET", "/healthz")
                assert connection.getresponse().read().startswith(b'{"status":"ok"')
                command.signal(signal.SIGTERM)
                assert command.exit_code() == 0
            assert command.stdout.rest() == ""
            assert "GET /healthz 200" in command.stderr.rest()

    def test_with_a_certificate_it_serves_https(self, home: Path) -> None:
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1")
        made.private_key_and_cert_chain_pem.write_to_path(home / "both.pem")
        configure(home, f'[proxy]\ntls_cert = "both.pem"\ntls_key = "both.pem"\n{PROVIDER.format(1)}')
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with agcore(["serve", "--port", "0"], home=home) as command:
            where = urlsplit(command.url())
            assert where.scheme == "https"
            secure = http.client.HTTPSConnection("127.0.0.1", where.port, timeout=PATIENCE, context=context)
            with closing(secure) as connection:
                connection.request("GET", "/healthz")
                assert connection.getresponse().status == 200
                command.signal(signal.SIGTERM)
                assert command.exit_code() == 0

    @pytest.mark.parametrize("verb", ["serve", "check"])
    def test_a_certificate_that_cannot_be_used_is_a_clear_error(
        self, verb: str, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(home, f'[proxy]\ntls_cert = "c.pem"\ntls_key = "k.pem"\n{PROVIDER.format(1)}')
        assert main([verb]) == 2
        complaint = capsys.readouterr().err
        assert complaint.startswith("agcore: error: ")
        assert "proxy.tls_cert: cannot read c.pem: no such file or directory" in complaint
        first, second = (trustme.CA().issue_cert("127.0.0.1") for _ in range(2))
        first.cert_chain_pems[0].write_to_path(home / "c.pem")
        second.private_key_pem.write_to_path(home / "k.pem")
        assert main([verb]) == 2
        assert "c.pem and k.pem are no certificate and its key: key values mismatch" in capsys.readouterr().err

    def test_without_a_provider_it_is_visibly_a_demo(self, home: Path) -> None:
        with agcore(["serve", "--port", "0", "--log-format", "json"], home=home) as command:
            url = command.url()
            assert command.stderr.next().startswith("agcore: demo: no provider is configured")
            assert "OPENAI_API_KEY" in command.stderr.next()
            status, body = post(url, QUESTION)
            assert status == 200
            text = json.loads(body)["choices"][0]["message"]["content"]
            assert text == "[agcore demo] This is any over OpenAI Chat Completions. You said: hello"
            row = json.loads(command.stderr.next())
            assert (row["kind"], row["status"], row["provider"]) == ("access", 200, "demo")
            command.signal(signal.SIGINT)
            assert command.exit_code() == 0

    def test_warnings_are_printed_before_it_is_ready(self, home: Path) -> None:
        configure(home, f'[record]\ndir = "traces"\n{PROVIDER.format(1)}keys = ["env:ABSENT"]\n')
        with agcore(["serve", "--port", "0"], home=home) as command:
            command.url()
            assert '"ABSENT" is not set' in command.stderr.next()
            assert command.stderr.until("not yet in effect").endswith("record.dir")

    def test_a_stream_under_way_is_finished_after_the_signal(self, home: Path) -> None:
        with agcore(["serve", "--port", "0"], home=home) as command, connected(command.url()) as connection:
            body = json.dumps({**QUESTION, "stream": True})
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            response = connection.getresponse()
            start = response.readline()
            command.signal(signal.SIGINT)
            rest = response.read()
            assert start.startswith(b"data: ")
            assert rest.endswith(b"data: [DONE]\n\n")
            assert command.exit_code() == 0

    def test_a_second_interrupt_ends_it_at_once(self, home: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as upstream:
            upstream.settimeout(PATIENCE)
            configure(home, PROVIDER.format(upstream.getsockname()[1]))
            with agcore(["serve", "--port", "0"], home=home) as command, connected(command.url()) as connection:
                connection.request(
                    "POST", "/v1/chat/completions", json.dumps(QUESTION), {"content-type": "application/json"}
                )
                asked, _ = upstream.accept()
                with closing(asked):
                    command.signal(signal.SIGINT)
                    command.stderr.until(" drain ")
                    command.signal(signal.SIGINT)
                    assert command.process.wait(10) == 0  # the answer may take 120 s, and draining 30 s

    def test_a_port_in_use_is_a_complaint(self, home: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
            with agcore(["serve", "--port", str(port)], home=home) as command:
                assert command.exit_code() == 2
                complaint = command.stderr.rest().splitlines()[-1]
        assert complaint.startswith(f"agcore: error: cannot listen on 127.0.0.1:{port}: address already in use; ")

    def test_an_address_of_another_machine_is_a_complaint(self, home: Path) -> None:
        configure(home, f'[proxy]\nauth_mode = "off"\n{PROVIDER.format(1)}')
        with agcore(["serve", "--host", "192.0.2.1", "--port", "0"], home=home) as command:
            assert command.exit_code() == 2
            err = command.stderr.rest()
        assert "agcore: error: cannot listen on 192.0.2.1:0: " in err
        assert "Traceback" not in err

    @pytest.mark.parametrize(
        ("text", "arguments", "why"),
        [
            ('[proxy]\nauth_mode = "strict"\n' + PROVIDER.format(1), [], "needs a client key"),
            (PROVIDER.format(1), ["--host", "0.0.0.0"], "can be reached from other machines"),
            (f'[proxy]\napi_key = "{KEY}"\n', ["--host", "0.0.0.0"], "the demo provider is served on loopback only"),
        ],
    )
    def test_what_would_not_be_safe_is_refused(
        self, home: Path, text: str, arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(home, text)
        assert main(["serve", "--port", "0", *arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("agcore: error: refusing to start with this configuration (from agcore.toml)\n  ")
        assert why in err

    def test_every_problem_of_the_configuration_is_listed(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        configure(home, '[proxy]\nport = "x"\n[limits]\nmax_headers = "y"\n')
        assert main(["serve"]) == 2
        assert capsys.readouterr().err.splitlines()[0] == (
            "agcore: error: 2 problems in the configuration of agcore.toml"
        )


def test_check_says_no_to_a_provider_that_is_the_gateway_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "agcore.toml"
    entry = '[[providers]]\nname = "me"\ndialect = "openai"\nkeys = ["sk-0123456789abcdef"]\nbase_url = "{}"\n'
    file.write_text(entry.format("http://localhost:8045/v1"))
    assert main(["check", "--config", str(file)]) == 1
    assert "the base_url of me is this gateway itself" in capsys.readouterr().err
    file.write_text(entry.format("http://localhost:8046/v1"))
    assert main(["check", "--config", str(file)]) == 0
