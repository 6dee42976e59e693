"""The route table as text: for the terminal (`agcore routes`) and for docs/routes.md, both from `routes.ROUTES`."""

from __future__ import annotations

from agcore.config.values import dialect_name
from agcore.ingress.routes import ROUTES, Route


def describe_routes() -> str:
    """The table in aligned columns, a line for each route; a route that waits for something says for what."""
    rows = [
        (route.row, ",".join(route.methods), route.path, dialect_name(route.dialect), _what(route)) for route in ROUTES
    ]
    rows.insert(0, ("row", "methods", "path", "dialect", "what"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = (
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4])) for row in rows
    )
    return "".join(f"{line}\n" for line in lines)


def as_markdown() -> str:
    """The table in Markdown: the routes that work, and under a heading of their own those that do not yet."""
    works = [route for route in ROUTES if not route.later]
    later = [route for route in ROUTES if route.later]
    lines = [*_table(works, last="what"), "", "## Not yet", ""]
    lines += ["These rows are routed and guarded like the others, and answer that something is missing.", ""]
    lines += _table(later, last="what, and what it needs")
    return "".join(f"{line}\n" for line in lines)


def _table(routes: list[Route], *, last: str) -> list[str]:
    lines = [f"| row | methods | path | dialect | {last} |", "|---|---|---|---|---|"]
    for route in routes:
        methods = ", ".join(route.methods)
        lines.append(f"| {route.row} | {methods} | `{route.path}` | {dialect_name(route.dialect)} | {_what(route)} |")
    return lines


def _what(route: Route) -> str:
    return f"{route.what} (not yet: needs {route.later})" if route.later else route.what
