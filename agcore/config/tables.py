"""The file of `[proxy] tables`: facts about vendors, models and prices that are newer than this program.

[[profiles]]                        # a row of vendor profiles, behind the shipped ones
vendors = ["acme"]                  # presets, or names of providers; absent for anybody
models = ["acme-*"]                 # globs of names in lower case, without what stands before the last slash
dialects = ["openai"]
late_system = "user_text"

[models."acme-large"]               # like [capabilities."acme-large"], which has the last word
context_window = 400000

[prices."acme-*"]                   # USD per million tokens
input = 1.5
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agcore.config.document import read_document
from agcore.config.problems import ConfigError, Problem, quoted
from agcore.config.reading import Reading
from agcore.config.schema import TABLES
from agcore.config.values import Tables, dialect_of
from agcore.models.vendor_profile import VENDOR_FIELDS, VendorRow


def tables_reference(document: Mapping[str, Any]) -> str:
    """The reference to the file that a configuration names, `file:PATH`; empty where it names none."""
    proxy = document.get("proxy")
    name = proxy.get("tables") if isinstance(proxy, dict) else ""
    return f"file:{name}" if isinstance(name, str) and name else ""


def read_tables(name: str, text: str | None, reading: Reading) -> Tables:
    """The tables in a file's text, which is None where it cannot be read; problems go to the reading of the whole."""
    if not name:
        return Tables()
    if text is None:
        reading.problem("proxy.tables", f"the file {quoted(name)} is unreadable", hint="a TOML file is wanted")
        return Tables()
    try:
        document = read_document(text)
    except ConfigError as error:
        reading.problems += [Problem(f"proxy.tables: {each.path}", each.found) for each in error.problems]
        return Tables()
    values = reading.read(TABLES, document, path="proxy.tables", pattern="tables")
    return Tables(
        profiles=tuple(_row(row) for row in values.get("profiles") or () if row),
        models=named_dialects(values.get("models") or {}),
        prices={pattern: prices or {} for pattern, prices in (values.get("prices") or {}).items()},
    )


def named_dialects(entries: Mapping[str, Mapping[str, Any] | None]) -> dict[str, dict[str, Any]]:
    """What is said of models, with dialects as the core names them."""
    return {
        pattern: {
            field: [dialect_of(name) for name in value] if field == "endpoints" and value else value
            for field, value in (fields or {}).items()
        }
        for pattern, fields in entries.items()
    }


def _row(row: Mapping[str, Any]) -> VendorRow:
    members = {
        name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name in VENDOR_FIELDS
    }
    if members.get("endpoints"):
        members["endpoints"] = tuple(map(dialect_of, members["endpoints"]))
    return VendorRow(
        vendors=tuple(row.get("vendors") or ()),
        models=tuple(pattern.lower() for pattern in row.get("models") or () if pattern),
        dialects=tuple(map(dialect_of, row.get("dialects") or ())),
        members=members,
        source=row.get("source") or "proxy.tables",
    )
