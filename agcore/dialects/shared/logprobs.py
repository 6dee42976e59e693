"""Log probabilities of tokens: OpenAI's shape (docs/wire/openai-chat.md#answer), and Google's, which has columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from agcore.conversation.values import Json


def tokens_of(entries: object) -> tuple[Json, ...]:
    """The tokens of a list as OpenAI's dialects show it, each with all its members; streams leave some out."""
    return tuple(
        {**_token(entry), "top_logprobs": [_token(other) for other in _named(entry.get("top_logprobs"))]}
        for entry in _named(entries)
    )


def _named(entries: object) -> Iterator[Mapping[str, object]]:
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, Mapping) and isinstance(entry.get("token"), str):
            yield entry


def _token(entry: Mapping[str, object]) -> dict[str, object]:
    return {"token": entry["token"], "logprob": entry.get("logprob"), "bytes": entry.get("bytes")}


def tokens_of_google(result: object) -> tuple[Json, ...]:
    """The tokens of a `logprobsResult`."""
    columns: Mapping[str, object] = result if isinstance(result, Mapping) else {}
    chosen, tops = columns.get("chosenCandidates"), columns.get("topCandidates")
    listed = tops if isinstance(tops, list) else []
    return tuple(
        {
            **_google_token(entry),
            "top_logprobs": [_google_token(other) for other in _named(_candidates(listed[number : number + 1]))],
        }
        for number, entry in enumerate(_named(chosen))
    )


def _candidates(top: list[object]) -> object:
    return top[0].get("candidates") if top and isinstance(top[0], Mapping) else None


def _google_token(entry: Mapping[str, object]) -> dict[str, object]:
    token = str(entry["token"])
    return {"token": token, "logprob": entry.get("logProbability"), "bytes": [*token.encode("utf-8", "surrogatepass")]}


def google_result(tokens: Iterable[Json]) -> dict[str, object]:
    """The `logprobsResult` for tokens."""
    listed = list(tokens)
    result: dict[str, object] = {"chosenCandidates": [_google_candidate(token) for token in listed]}
    if any(token["top_logprobs"] for token in listed):
        result["topCandidates"] = [
            {"candidates": [_google_candidate(other) for other in token["top_logprobs"]]} for token in listed
        ]
    return result


def _google_candidate(token: Mapping[str, object]) -> dict[str, object]:
    return {"token": token["token"], "logProbability": token["logprob"]}


def divided(tokens: list[Json], texts: Iterable[str]) -> list[tuple[Json, ...]]:
    """The tokens of an answer, given to its texts in order by their length; the last text gets the rest."""
    pieces: list[tuple[Json, ...]] = []
    at, waiting = 0, list(texts)
    for number, text in enumerate(waiting, 1):
        begin, length = at, 0
        while at < len(tokens) and (length < len(text) or number == len(waiting)):
            length += len(tokens[at]["token"])
            at += 1
        pieces.append(tuple(tokens[begin:at]))
    return pieces
