"""Real agents, each set up for a gateway in a home of its own, and run without a terminal."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import json

from tests.support.vendors.script import LOOKUP, NOTE

KEY: Final = "gw-client-0123456789abcdef"
_ROOT: Final = Path(__file__).parents[2]
_KEPT: Final = ("PATH", "LANG", "TERM", "TMPDIR")


class Place(msgspec.Struct, frozen=True):
    """Where a client runs, and what it is pointed at."""

    home: Path
    url: str
    """The gateway's."""
    model: str
    key: str = KEY

    @property
    def work(self) -> Path:
        """The working directory, with the note."""
        return self.home / "work"

    def write(self, name: str, text: str) -> None:
        """Writes a file of the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class Started(msgspec.Struct, frozen=True):
    """How a client is started: arguments behind the program, and variables."""

    arguments: list[str]
    variables: Mapping[str, str]


class Client(msgspec.Struct, frozen=True):
    """An agent, and one way of setting it up."""

    name: str
    program: str
    """Below the folder where the programs are installed."""
    start: Callable[[Place, str], Started]
    """The place and the prompt -> how it is started."""
    prompt: str = f"Run `cat {NOTE}` and tell me what it says."
    model: str = ""
    """The name it is started with, where it is to be another than the vendor's."""
    tools: bool = True
    """Whether its models call tools; others write edits."""


class Ran(msgspec.Struct, frozen=True):
    """What a client did."""

    code: int | None
    """The exit code; None where it had to be stopped."""
    seconds: float
    screen: str


def _claude(place: Place, prompt: str) -> Started:
    variables = {
        "ANTHROPIC_BASE_URL": place.url,
        "ANTHROPIC_AUTH_TOKEN": place.key,
        "IS_SANDBOX": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    return Started(["-p", prompt, "--model", place.model, "--dangerously-skip-permissions"], variables)


_EXEC: Final = ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]


def _codex_config(place: Place, more: str = "") -> None:
    provider = f'name = "agcore"\nbase_url = "{place.url}/v1"\nwire_api = "responses"\nenv_key = "GATEWAY_KEY"\n'
    place.write(".codex/config.toml", f'model_provider = "agcore"\n\n[model_providers.agcore]\n{provider}\n{more}')


def _codex(place: Place, prompt: str) -> Started:
    _codex_config(place)
    return Started([*_EXEC, "-m", place.model, prompt], {"GATEWAY_KEY": place.key})


def _codex_with_many_tools(place: Place, prompt: str) -> Started:
    server = f'command = "{sys.executable}"\nargs = ["-m", "tests.agents.many_tools"]\ncwd = "{place.work}"\n'
    _codex_config(place, f'[mcp_servers.many]\n{server}env = {{ PYTHONPATH = "{_ROOT}" }}\n')
    return Started([*_EXEC, "-m", place.model, prompt], {"GATEWAY_KEY": place.key})


def _token(claims: Mapping[str, object]) -> str:
    parts = [json.encode({"alg": "none", "typ": "JWT"}), json.encode(claims), b"unsigned"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _codex_signed_in(place: Place, prompt: str) -> Started:
    """Signed in to ChatGPT with tokens that nobody made; the built-in provider, which codes its bodies with zstd."""
    place.write(".codex/config.toml", f'openai_base_url = "{place.url}/v1"\n')
    account = {"chatgpt_plan_type": "pro", "chatgpt_account_id": "account-1", "chatgpt_user_id": "user-1"}
    token = _token({"email": "a@example.com", "exp": 4_000_000_000, "https://api.openai.com/auth": account})
    tokens = {"id_token": token, "access_token": token, "refresh_token": "r", "account_id": "account-1"}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    signed_in = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": now}
    place.write(".codex/auth.json", json.encode(signed_in).decode())
    return Started([*_EXEC, "-m", place.model, prompt], {})


def _gemini(place: Place, prompt: str) -> Started:
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "telemetry": {"enabled": False}}
    place.write(".gemini/settings.json", json.encode(settings).decode())
    variables = {
        "GOOGLE_GEMINI_BASE_URL": place.url,
        "GEMINI_API_KEY": place.key,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    return Started(["-p", prompt, "--yolo", "-m", place.model], variables)


def _opencode(place: Place, prompt: str) -> Started:
    options = {"baseURL": f"{place.url}/v1", "apiKey": place.key}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "agcore", "options": options, "models": {place.model: {}}}
    model = f"agcore/{place.model}"
    config = {"provider": {"agcore": provider}, "model": model, "small_model": model, "autoupdate": False}
    place.write(".config/opencode/opencode.json", json.encode(config).decode())
    return Started(["run", "-m", model, prompt], {"OPENCODE_DISABLE_MODELS_FETCH": "1"})


def _aider(place: Place, prompt: str) -> Started:
    quiet = ["--no-git", "--yes-always", "--no-check-update", "--analytics-disable", "--no-show-model-warnings"]
    quiet += ["--no-pretty", "--no-show-release-notes", "--no-detect-urls"]
    variables = {
        "OPENAI_API_BASE": f"{place.url}/v1",
        "OPENAI_API_KEY": place.key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    arguments = ["--model", f"openai/{place.model}", "--edit-format", "diff", *quiet, "--message", prompt, NOTE]
    return Started(arguments, variables)


_NPM: Final = "node_modules/.bin/"
CLIENTS: Final = (
    Client("claude", f"{_NPM}claude", _claude),
    Client("codex", f"{_NPM}codex", _codex),
    Client("codex-signed-in", f"{_NPM}codex", _codex_signed_in),
    Client(
        "codex-130-tools",
        f"{_NPM}codex",
        _codex_with_many_tools,
        prompt=f"Look up the key 'note' with the tool {LOOKUP} of the server `many`, and tell me what it says.",
        model="gpt-5.5",
    ),
    Client("gemini", f"{_NPM}gemini", _gemini),
    Client("opencode", f"{_NPM}opencode", _opencode),
    Client("aider", "aider/bin/aider", _aider, prompt=f"Write what {NOTE} says into answer.txt.", tools=False),
)


def run(client: Client, folder: Path, place: Place, *, seconds: float) -> Ran:
    """Runs a client to its end, or for so many seconds; its programs are in `folder`."""
    place.work.mkdir(parents=True, exist_ok=True)
    started = client.start(place, client.prompt)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    began = time.monotonic()
    with subprocess.Popen(
        [str(folder / client.program), *started.arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=place.work,
        env={**kept, "HOME": str(place.home), "NO_PROXY": "127.0.0.1", **started.variables},
        start_new_session=True,
    ) as process:
        try:
            screen, code = process.communicate(timeout=seconds)[0], process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            screen, code = process.communicate()[0], None
    return Ran(code, time.monotonic() - began, screen.decode(errors="replace"))
