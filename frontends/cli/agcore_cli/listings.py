"""What `agcore models` prints, as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from agcore import Catalog, ListedModel, Profile, Resolution
from agcore.config import Provider, is_glob
from agcore_cli.terminal import table


def models(catalog: Catalog, providers: Iterable[Provider]) -> list[str]:
    """Lists names, where each goes and what it can do; then the globs, which serve more names than can be listed.

    Of clients whose dialect has rules of its own, what differs from the general list follows in a list of theirs.
    """
    general = catalog.ids()
    tables = [_listing("NAME", general)]
    for dialect in catalog.dialects:
        own = [entry for entry in catalog.ids(dialect=dialect) if entry not in general]
        tables.append(_listing(f"NAME, FOR {dialect} CLIENTS", own))
    globs = [(provider.name, ", ".join(filter(is_glob, provider.models))) for provider in providers]
    more = [(name, patterns) for name, patterns in globs if patterns]
    tables.append(table([("PROVIDER", "SERVES ALL OF"), *more]) if more else [])
    return "\n\n".join("\n".join(lines) for lines in tables if lines).splitlines()


def resolutions(catalog: Catalog, name: str) -> list[str]:
    """Shows where a name goes, and where else for clients whose dialect has rules of its own; empty for nowhere."""
    general = catalog.resolve(name)
    lines: list[str] = []
    if isinstance(general, Resolution):
        lines += [name, *_resolution(general, catalog)]
    for dialect in catalog.dialects:
        own = catalog.resolve(name, dialect=dialect)
        if isinstance(own, Resolution) and own != general:
            lines += [f"{name}, for {dialect} clients", *_resolution(own, catalog)]
    return lines


def _listing(title: str, entries: Iterable[ListedModel]) -> list[str]:
    rows = [(entry.id, f"{entry.provider}/{entry.model}", ", ".join(_abilities(entry.profile))) for entry in entries]
    return table([(title, "GOES TO", "CAN DO"), *rows]) if rows else []


def _resolution(found: Resolution, catalog: Catalog) -> Iterator[str]:
    """The rule, the targets in the order to be tried, and what the first can do."""
    rows = [("rule", found.rule)]
    pools = Counter(target.step for target in found.targets)
    step = -1
    for target in found.targets:
        word = "or" if target.step == step else "then" if target.step else "goes to"
        step = target.step
        spoken = ", ".join(target.provider.dialect_names)
        weight = f"  weight {target.provider.weight:g}" if pools[step] > 1 else ""
        rows += [(word, f"{target.provider.name}/{target.model}  ({spoken}){weight}")]
    first = found.targets[0]
    endpoint = catalog.endpoint(first) or first.provider.preferred_endpoint
    profile = catalog.profile_at(first.provider, endpoint, first.model)
    rows += [("can do", ", ".join(_abilities(profile)))]
    sizes = ((profile.context_window, "context"), (profile.max_output_tokens, "output"))
    tokens = [f"{count:,} {what}" for count, what in sizes if count]
    rows += [("tokens", ", ".join(tokens))] if tokens else []
    (_, asked_in, _), (_, vendor, _), *facts = catalog.manners(first)
    rows += [("in", f"{asked_in}, unless the client's own dialect is served"), ("by", str(vendor))]
    sources = dict.fromkeys(source for _, _, source in facts)
    told = [f"{_told(name, value)}  [{[*sources].index(source) + 1}]" for name, value, source in facts]
    rows += [("" if at else "takes", fact) for at, fact in enumerate(told)]
    rows += [("" if at else "sources", f"[{at + 1}] {source}") for at, source in enumerate(sources)]
    return (f"  {line}" for line in table(rows))


def _told(name: str, value: object) -> str:
    """A fact about a server."""
    if isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{name} = {text}"


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
