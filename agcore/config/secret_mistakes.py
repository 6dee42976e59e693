"""Secrets that cannot be what was meant: references in the spelling of other programs, and what stands around keys.

Loaded where a value does not look like an ordinary key. What may be a secret is in no words but its name.
"""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = r"([A-Za-z_][A-Za-z0-9_]*)"
_LOUD: Final = r"([A-Z_][A-Z0-9_]*)"
_REFERENCES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\$(?:env:)?{_LOUD}",  # shells
        rf"\$\{{(?:env:)?{_NAME}(?::?-[^}}]*)?\}}",
        rf"%{_LOUD}%",  # Windows
        rf"\{{\{{?\s*(?:env[:.])?{_NAME}\s*\}}?\}}",  # templates, opencode
        rf"os\.(?:environ|getenv)(?:\.get)?[/.(\[]+[\"']?{_NAME}[\"']?[)\]]*",  # LiteLLM, Python
        rf"process\.env[.\[]+[\"']?{_NAME}[\"']?\]?",
        rf"(?:ENV|Env)\s*[:/.]\s*{_NAME}",
        rf"env(?:\s*[/.]|:\s+|\s+:)\s*{_NAME}",
        r"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:KEY|TOKEN|SECRET)(?:_[0-9]+)?)",
    )
)
_FILES: Final = re.compile(r"(?:FILE|File)\s*:\s*(.+)")
_COMMANDS: Final = re.compile(r"\$\((.+)\)|(?:CMD|Cmd)\s*:\s*(.+)")
_PLACEHOLDER: Final = re.compile(
    r"<.*>|(?:sk-|sk-ant-|sk-proj-|AIza)?(?:\.{3}|\u2026|x{3,}|X{3,}|\*{3,})"
    r"|(?i:your|my|insert|change)[-_ ].*(?i:key|me|here|token)"
)
_BEARER: Final = re.compile(r"(?:authorization\s*:\s*)?bearer\s+(\S.*)|x-(?:goog-)?api-key\s*:\s*(\S.*)", re.IGNORECASE)
_QUOTES: Final = ('"', "'", "`", "\u201c\u201d", "\u2018\u2019")


def meant_reference(text: str) -> str:
    """The reference that was meant by a literal that looks like one: `env:NAME`, `file:PATH`, `cmd:COMMAND`."""
    for pattern in _REFERENCES:
        if found := pattern.fullmatch(text.strip()):
            return f"env:{found[1]}"
    if found := _FILES.fullmatch(text.strip()):
        return f"file:{found[1]}"
    found = _COMMANDS.fullmatch(text.strip())
    return f"cmd:{found[1] or found[2]}" if found else ""


def placeholder(secret: str) -> bool:
    """Whether a secret is what documentation has in the place of one."""
    return _PLACEHOLDER.fullmatch(secret) is not None


def unwrapped(secret: str) -> tuple[str, str]:
    """A secret without what stands around it by mistake, and what that was; the same secret and nothing otherwise."""
    for pair in _QUOTES:
        if len(secret) > 2 and secret[0] == pair[0] and secret[-1] == pair[-1]:
            return secret[1:-1].strip(), "quotes around it"
    found = _BEARER.fullmatch(secret)
    if found:
        return (found[1] or found[2]).strip(), "the words of a header before it"
    return secret, ""
