"""Sources that stand beside an answer's choices: Perplexity's `search_results` and `citations`, and xAI's `citations`.

They come with every chunk of a stream, or with its last one, and tell nothing of where in the text they belong
(docs/wire/openai-chat.md#sources-beside-choices).
"""

from __future__ import annotations

from collections.abc import Mapping

from agcore.conversation.values import Cited


class Sources:
    """The sources of one answer."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}
        self._told: set[tuple[int, str]] = set()

    def read(self, answer: Mapping[str, object]) -> None:
        """Take what an answer, or a chunk of it, names: results have titles, citations are addresses alone."""
        for name in ("search_results", "citations"):
            entries = answer.get(name)
            for entry in entries if isinstance(entries, list) else ():
                url, title = (entry.get("url"), entry.get("title")) if isinstance(entry, dict) else (entry, "")
                if isinstance(url, str) and url:
                    self._titles.setdefault(url, title if isinstance(title, str) else "")

    def told(self, url: str, index: int) -> None:
        """A choice has cited it by itself, where it belongs."""
        self._told.add((index, url))

    def untold(self, index: int) -> list[Cited]:
        """Those that a choice has not cited so far, as sources of all that it said."""
        left = [url for url in self._titles if (index, url) not in self._told]
        self._told.update((index, url) for url in left)
        return [Cited(url, self._titles[url], index) for url in left]
