"""The page of vendor profiles: every row of the shipped tables with its source, and what its members mean."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from typing import Final

from agcore.config.values import dialect_name
from agcore.models import vendor_profile
from agcore.models.family_rows import FAMILIES
from agcore.models.lookalike_rows import LOOKALIKES
from agcore.models.vendor_profile import VENDOR_CHOICES, VendorProfile, VendorRow
from agcore.models.vendor_rows import VENDORS

_INTRO: Final = """\
# Vendors

Generated from `agcore/models/family_rows.py`, `vendor_rows.py` and `lookalike_rows.py` by `make docs`. Servers that
speak one dialect differ in what they take of it: the first rows are about families of models, wherever these are served
(a chat template travels with the weights), the others about vendors and servers. Rows are merged from the top to the
bottom, and a later one overrides single members. Names are matched in lower case, without what stands before the last
slash. A server that no row knows gets what most have in common. `agcore models NAME` shows what came of that for a
name.

Who serves is told by the host of a provider's base URL, else its `preset`, else its name, else the usual port of a
server on one's own machine.

`[capabilities."glob"]` overrides single members for models, and the file of `[proxy] tables` adds rows:

```toml
[[profiles]]
vendors = ["mine"]            # presets, or names of providers; absent for anybody
models = ["acme-*"]           # absent for all
dialects = ["openai"]         # absent for all
late_system = "in_place"
source = "https://acme.example/docs"

[models."acme-large"]         # like [capabilities."acme-large"], which has the last word
context_window = 400000

[prices."acme-*"]             # USD per million tokens
input = 1.5
output = 6
```

That file is read again when it changes, like the configuration that names it.

## Members

| member | values | meaning |
|---|---|---|
"""


def as_markdown() -> str:
    """The page."""
    parts = [_INTRO, *_members()]
    for title, rows in (
        ("Families of models", FAMILIES),
        ("Vendors and servers", VENDORS),
        ("Imitations of a dialect", LOOKALIKES),
    ):
        parts += [
            f"\n## {title}\n\n| who serves | models | dialects | what it takes | source |\n|---|---|---|---|---|\n"
        ]
        parts += _lines(rows)
    return "".join(parts)


def _members() -> Iterator[str]:
    tree = ast.parse(inspect.getsource(vendor_profile))
    (shape,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == VendorProfile.__name__)
    for field, text in zip(shape.body, shape.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(text, ast.Expr)
            assert isinstance(text.value, ast.Constant)
            name = field.target.id
            words = ", ".join(f"`{word}`" for word in VENDOR_CHOICES.get(name, ())) or ast.unparse(field.annotation)
            yield f"| `{name}` | {words} | {_cell(inspect.cleandoc(str(text.value.value)))} |\n"


def _lines(rows: Iterable[VendorRow]) -> Iterator[str]:
    for row in rows:
        members = "<br>".join(f"`{name}` {_value(value)}" for name, value in row.members.items())
        cells = (
            ", ".join(row.vendors),
            ", ".join(f"`{pattern}`" for pattern in row.models),
            ", ".join(map(dialect_name, row.dialects)),
            members,
            _cell(row.source),
        )
        yield f"| {' | '.join(cells)} |\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(dialect_name, value)) if isinstance(value, tuple) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
