"""The difference between two configurations, by the names of keys in the file and without any value.

Sections are compared key by key, things with a name of the user's (providers, client keys, MCP servers) name by name,
and everything else as a whole: enough for the users to recognise their own edits.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Final

import msgspec

from agcore.config.values import Config

_NAMED: Final = frozenset({"providers", "proxy.keys", "mcp"})
"""Lists whose members have a `name`."""


def changes(old: Config, new: Config) -> tuple[str, ...]:
    """The names of all that differs, in the order of the sections: `providers.b added`, `timeouts.idle`, `models`."""
    return tuple(change for name in Config.__struct_fields__ for change in _changes(name, old, new))


def _changes(path: str, old: Config, new: Config) -> Iterator[str]:
    before, after = attrgetter(path)(old), attrgetter(path)(new)
    if before == after:
        return
    if path in _NAMED:
        was, now = ({member.name: member for member in members} for members in (before, after))
        yield from (f"{path}.{name} added" for name in now if name not in was)
        yield from (f"{path}.{name} removed" for name in was if name not in now)
        yield from (f"{path}.{name} changed" for name in now if name in was and now[name] != was[name])
        if [name for name in now if name in was] != [name for name in was if name in now]:
            yield f"{path} reordered"
    elif isinstance(after, msgspec.Struct):
        for name in after.__struct_fields__:
            yield from _changes(f"{path}.{name}", old, new)
    else:
        yield path
