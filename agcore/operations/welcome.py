"""What stands at `/`: what answers here, and what to do next. No key is needed for it, and it tells none of anybody's.

A page for browsers, lines of text for everything else. Agents preconnect with HEAD, which gets the head alone.
"""

from __future__ import annotations

from html import escape
from typing import Final

from agcore.codecs.header_fields import first
from agcore.operations.base import BaseOperation

_WAYS: Final = (
    ("OpenAI", "/v1/chat/completions, /v1/responses, /v1/embeddings, /v1/images/generations, /v1/audio/..."),
    ("Anthropic", "/v1/messages"),
    ("Gemini", "/v1beta/models/MODEL:generateContent"),
    ("MCP", "/mcp/NAME/mcp"),
    ("models", "/v1/models"),
    ("health", "/healthz"),
)
_NEXT: Final = (
    ('eval "$(agcore env claude)"', "have Claude Code come here; also codex, gemini, openai"),
    ("agcore models", "the names that clients can ask for"),
    ("agcore status", "which keys are in use, and which are left alone"),
    ("agcore check", "what the configuration means, or what is wrong with it"),
)
_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:4rem auto;padding:0 1rem}"
    "code{font:14px ui-monospace,monospace}td{padding:.15rem 1.5rem .15rem 0;vertical-align:top}h2{font-size:1.1rem}"
)


class Welcome(BaseOperation):
    """The first thing that a person sees who opens the gateway's address."""

    def begin(self, *, now: float) -> None:
        """200 with a page, or with text for whom no page is of use."""
        accept = first(self.request.head.headers, b"accept") or b""
        version = self.services.version
        if b"text/html" in accept:
            policy = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'")
            body, kind = _page(version), b"text/html; charset=utf-8"
            return self.client.answer(200, body, headers=(policy,), content_type=kind, now=now)
        return self.client.answer(200, _text(version), content_type=b"text/plain; charset=utf-8", now=now)


def _text(version: str) -> bytes:
    lines = [f"agcore {version} answers here", ""]
    lines += [f"  {name:<10} {paths}" for name, paths in _WAYS]
    lines += ["", "Next", *(f"  {command:<28} {what}" for command, what in _NEXT)]
    return ("\n".join(lines) + "\n").encode()


def _page(version: str) -> bytes:
    ways = "".join(f"<tr><td>{name}<td><code>{escape(paths)}</code>" for name, paths in _WAYS)
    more = "".join(f"<tr><td><code>{escape(command)}</code><td>{what}" for command, what in _NEXT)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>agcore</title><style>{_STYLE}</style>'
        f"<h1>agcore {escape(version)}</h1><p>A gateway for language models answers here.</p>"
        f"<h2>What it speaks</h2><table>{ways}</table>"
        f"<h2>What to do next, in a shell</h2><table>{more}</table></html>\n"
    ).encode()
