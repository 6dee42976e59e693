"""Writes what the documentation takes from the code: three pages (routes, conversions, vendors) and parts of two.

`python -m docs.generate` writes the pages; with `--check` it writes nothing, shows what would change, and exits with 1
if anything would. It needs what the core needs, and no more.
"""

from __future__ import annotations

import ast
import difflib
import enum
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

from agcore.ingress import report as routes_report
from agcore.protocol import events, legality
from docs import conversions, vendors
from tests.packaging.test_layers import LAYERS

DOCS: Final = Path(__file__).resolve().parent
ROOT: Final = DOCS.parent

_ROUTES_INTRO: Final = """\
# Routes

Generated from `agcore/ingress/routes.py` by `make docs`; `agcore routes` prints the same table. A row's name begins
with its protocol: O for OpenAI, A for Anthropic, G for Gemini, M for MCP, I for the gateway's own; `+` stands for all
others. `{version}` is v1, v1beta, v1beta1 or v1alpha, `{collection}` is models or tunedModels, `{model}` may hold
slashes and colons, `{name}` is one segment, `{rest}` any number of them. The dialect `models` is decided by the
request's headers. A known path with a wrong method is a 405, and `OPTIONS` is answered on every path.

A path may also come without its `/v1` (`/chat/completions`), with it twice, behind `/openai`, `/anthropic` or
`/gemini` (which then decide the dialect `models`), under `/v1beta/openai` as at Google, or as
`/openai/deployments/NAME/...` as at Azure; a slash at its end says nothing. A method of Google's that no row has
passes to a Gemini provider as it is, and is a 501 elsewhere. What no row has is refused in the shape of who asks, by
`x-goog-api-key`, `x-goog-api-client` or `anthropic-version`. Bodies may be coded with gzip, deflate, zstd and, with
the extra `br`, br; limits hold for what they decode to, and other codings are a 415.

"""


def pages() -> dict[Path, str]:
    """The generated pages, as they should be."""
    architecture = DOCS / "architecture.md"
    text = architecture.read_text("utf-8")
    text = _filled(text, "exchange", _diagram(_exchange_edges(), start=legality.State.RECEIVING))
    text = _filled(text, "leg", _diagram(_leg_edges(), start=legality.LegState.CONNECTING))
    text = _filled(text, "folders", _folders(ROOT / "agcore" / layer for layer in LAYERS))
    text = _filled(text, "packages", _folders(sorted(path.parent for path in ROOT.glob("frontends/*/*/__init__.py"))))
    frontend = DOCS / "write-a-frontend.md"
    return {
        DOCS / "routes.md": _ROUTES_INTRO + routes_report.as_markdown(),
        DOCS / "conversions.md": conversions.as_markdown(),
        DOCS / "vendors.md": vendors.as_markdown(),
        architecture: text,
        frontend: _filled(frontend.read_text("utf-8"), "events", _events()),
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m docs.generate [--check]", file=sys.stderr)
        return 2
    stale = False
    for path, wanted in pages().items():
        found = path.read_text("utf-8") if path.exists() else ""
        if found == wanted:
            continue
        if not arguments:
            path.write_text(wanted, "utf-8")
            print(f"wrote docs/{path.name}")
            continue
        stale = True
        lines = difflib.unified_diff(
            found.splitlines(), wanted.splitlines(), f"docs/{path.name}", "as generated", lineterm=""
        )
        print("\n".join(lines))
    return 1 if stale else 0


def _filled(text: str, name: str, content: str) -> str:
    opening, closing = f"<!-- generated: {name} -->\n", "<!-- end -->\n"
    before, found, rest = text.partition(opening)
    _, ended, after = rest.partition(closing)
    if not (found and ended):
        raise ValueError(f"a page has no block {opening.strip()} ... {closing.strip()}")
    return before + opening + content + closing + after


def _folders(folders: Iterable[Path]) -> str:
    """The table of folders: what each is for, by the first line of its docstring, and the modules in it."""
    lines = ["| folder | what it knows | modules |", "|---|---|---|"]
    for folder in folders:
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
        modules = [
            f"`{path.stem}`" for path in sorted(folder.glob("*.py")) if path.stem not in ("__init__", "__main__")
        ]
        inner = [f"`{path.parent.name}/`" for path in sorted(folder.glob("*/__init__.py"))]
        knows = text.partition("\n")[0].removesuffix(".")
        lines.append(f"| `{folder.relative_to(ROOT)}` | {knows} | {' '.join(inner + modules)} |")
    return "".join(f"{line}\n" for line in lines)


def _events() -> str:
    """The table of typed events: when each is emitted, and the names of its fields."""
    lines = ["| event | when | fields |", "|---|---|---|"]
    for event in get_args(events.Event):
        when = inspect.cleandoc(event.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        fields = ", ".join(f"`{name}`" for name in event.__struct_fields__)
        lines.append(f"| `{event.__name__}` | {when} | {fields} |")
    return "".join(f"{line}\n" for line in lines)


def _exchange_edges() -> Iterator[tuple[enum.Enum, enum.Enum, str]]:
    for state, inputs in legality.EXCHANGE.items():
        yield from _edges(state, inputs)
        for follower in legality.EXCHANGE_TIMED[state]:
            yield state, follower, "time"


def _leg_edges() -> Iterator[tuple[enum.Enum, enum.Enum, str]]:
    for state, inputs in legality.LEG.items():
        yield from _edges(state, inputs)
        for follower in legality.LEG_TIMED[state]:
            if follower is not state or state is legality.LegState.CONNECTING:
                yield state, follower, "time"


def _edges(state: enum.Enum, inputs: Mapping[type, Iterable[enum.Enum]]) -> Iterator[tuple[enum.Enum, enum.Enum, str]]:
    for input, followers in inputs.items():
        for follower in followers:
            # The two tables differ in whether staying is listed; drawn is only what moves, or opens another leg.
            if follower is not state or state is legality.LegState.CONNECTING:
                yield state, follower, input.__name__


def _diagram(edges: Iterable[tuple[enum.Enum, enum.Enum, str]], *, start: enum.Enum) -> str:
    labels: dict[tuple[enum.Enum, enum.Enum], list[str]] = {}
    for state, follower, label in edges:
        labels.setdefault((state, follower), []).append(label)
    lines = ["```mermaid", "stateDiagram-v2"]
    named = [state for state in type(start) if state.value != state.name.lower()]
    lines.extend(f'    state "{state.value}" as {state.name.lower()}' for state in named)
    lines.append(f"    [*] --> {start.name.lower()}")
    for (state, follower), names in labels.items():
        lines.append(f"    {state.name.lower()} --> {follower.name.lower()} : {', '.join(names)}")
    lines.append("```")
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
