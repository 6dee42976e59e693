"""Configurations of one provider each, and clients that go on asking while one takes the place of the other."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import httpx

from tests.support.patience import PATIENCE

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

CONNECTIONS = 8
TURNS = 10
EACH = 20
"""Requests in a turn."""


def provider(name: str, url: str) -> str:
    """The text of a configuration whose only provider answers everything."""
    return f'[[providers]]\nname = "{name}"\ndialect = "openai"\nbase_url = "{url}/v1"\nkeys = ["sk-upstream"]\n'


def post(url: str) -> tuple[int, str]:
    """Asks once; returns the answer's status and the provider that gave it."""
    response = httpx.post(f"{url}/v1/chat/completions", json=QUESTION, trust_env=False, timeout=PATIENCE)
    return response.status_code, response.headers.get("x-agcore-provider", "")


def replace(path: Path, text: str) -> None:
    """Puts another file in the place of one, as editors do."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def age(*files: Path, seconds: float = 60) -> None:
    """Makes files look as if they had been written a while ago."""
    for file in files:
        os.utime(file, (time.time() - seconds, time.time() - seconds))


async def ask_through(url: str, change: Callable[[int], Awaitable[None]]) -> list[tuple[int, str]]:
    """Asks `EACH` times in each of `TURNS` turns, over `CONNECTIONS` connections, while `change(turn)` runs.

    Returns the status of each answer and the provider that gave it.
    """
    answers: list[tuple[int, str]] = []
    tickets = anyio.Semaphore(0)
    answered = anyio.Event()

    async def client() -> None:
        nonlocal answered
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(base_url=url, trust_env=False, limits=limits, timeout=PATIENCE) as http:
            while True:
                await tickets.acquire()
                response = await http.post("/v1/chat/completions", json=QUESTION)
                answers.append((response.status_code, response.headers.get("x-agcore-provider", "")))
                answered.set()
                answered = anyio.Event()

    async with anyio.create_task_group() as clients:
        for _ in range(CONNECTIONS):
            clients.start_soon(client)
        for turn in range(TURNS):
            for _ in range(EACH):
                tickets.release()
            await change(turn)
            while len(answers) < EACH * (turn + 1):
                await answered.wait()
        clients.cancel_scope.cancel()
    return answers
