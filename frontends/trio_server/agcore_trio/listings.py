"""What `agcore models` prints, as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agcore.catalog import ListedModel, Resolution
from agcore.config import Provider
from agcore.globs import is_glob
from agcore.profiles import Profile
from agcore_trio.terminal import table


def models(listed: Iterable[ListedModel], providers: Iterable[Provider]) -> list[str]:
    """Lists names, where each goes and what it can do; then the globs, which serve more names than can be listed."""
    rows = [(entry.id, f"{entry.provider}/{entry.model}", ", ".join(_abilities(entry.profile))) for entry in listed]
    lines = table([("NAME", "GOES TO", "CAN DO"), *rows]) if rows else []
    globs = [(provider.name, ", ".join(filter(is_glob, provider.models))) for provider in providers]
    more = [(name, patterns) for name, patterns in globs if patterns]
    if more:
        lines += [*([""] if lines else []), *table([("PROVIDER", "SERVES ALL OF"), *more])]
    return lines


def resolution(found: Resolution, profile: Profile) -> list[str]:
    """Shows where a name goes: the rule, the targets in the order to be tried, and what the first can do."""
    rows = [("rule", found.rule)]
    for number, target in enumerate(found.targets):
        spoken = ", ".join(target.provider.endpoints)
        rows += [("then" if number else "goes to", f"{target.provider.name}/{target.model}  ({spoken})")]
    rows += [("can do", ", ".join(_abilities(profile)))]
    sizes = ((profile.context_window, "context"), (profile.max_output_tokens, "output"))
    tokens = [f"{count:,} {what}" for count, what in sizes if count]
    rows += [("tokens", ", ".join(tokens))] if tokens else []
    return [found.requested, *(f"  {line}" for line in table(rows))]


def _abilities(profile: Profile) -> Sequence[str]:
    reasoning = profile.reasoning if profile.reasoning != "none" else ""
    abilities = {
        "chat": profile.chat,
        "tools": profile.tools,
        "vision": profile.vision,
        "PDF": profile.pdf,
        "audio input": profile.audio_in,
        f"reasoning ({reasoning})": bool(reasoning),
        "structured output": profile.structured_output,
        "image output": profile.image_output,
        "transcription": profile.transcription,
        "speech": profile.speech,
        "embeddings": profile.embeddings,
    }
    return [name for name, able in abilities.items() if able]
