"""Requests to hear a recording, as OpenAI's clients send them: forms (docs/wire/openai-media.md#transcriptions).

What OpenAI would refuse raises `conversation.Invalid`, which names the field. What a recording is, its bytes say. What
Gemini cannot do is a loss, or a 400 where the answer would be of another kind.
"""

from __future__ import annotations

import math
import re
from typing import Final, cast, get_args

import msgspec

from agcore.codecs import audio_header
from agcore.codecs.multipart import Form, FormFile
from agcore.conversation.losses import Losses
from agcore.conversation.transcripts import Format, Shown
from agcore.conversation.values import Invalid
from agcore.dialects.openai.fields import wrong

MAX_HINTS: Final = 64 * 1024
"""Characters of all that a client says of its recording."""

_TIMED: Final = frozenset({"srt", "vtt", "verbose_json"})
_SINGLE: Final = ("model", "language", "prompt", "response_format", "temperature", "stream", "chunking_strategy")
_LISTS: Final = ("timestamp_granularities", "include", "languages", "keywords")
_SPEAKERS: Final = ("known_speaker_names", "known_speaker_references")

_FIELD: Final = re.compile(r"(\w+)(?:\[[^\]]*\])*")
"""Lists come as `name[]`, objects as `name[member]`."""
_LANGUAGE: Final = re.compile(r"[A-Za-z]+(?:[ _-][A-Za-z0-9]+){0,3}")
_LONGEST_LANGUAGE: Final = 40
_TRUTH: Final = {"true": True, "false": False, "1": True, "0": False}
_SHOWN: Final = 64
"""Characters of a wrong value that an error message shows."""


class TranscriptionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants heard. Texts are empty where it said nothing."""

    audio: bytes
    header: audio_header.AudioHeader
    shown: Shown
    stream: bool = False
    """The answer is `json` or `text`, and is to come in events."""
    language: str = ""
    """Of the speech: an ISO 639 code, or a name."""
    languages: tuple[str, ...] = ()
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    temperature: float | None = None
    """0 to 1."""

    @property
    def timed(self) -> bool:
        """Whether the answer needs times."""
        return self.shown.format in _TIMED


def parse(form: Form, losses: Losses, *, translate: bool) -> TranscriptionRequest:
    """A client's `/v1/audio/transcriptions`, or with `translate` its `/v1/audio/translations`.

    Raises `Invalid` for what OpenAI would refuse, and for a recording in a format that nobody knows. How large it may
    be is not checked.
    """
    single, lists = _sorted(form, losses)
    file = _recording(form, losses)
    header = audio_header.read_header(file.data)
    if header is None:
        what = "a recording" if file.data else "a recording that is not empty"
        raise Invalid(f"`file` must be {what}: {audio_header.FORMATS}", param="file")
    kind, temperature = _format(single.get("response_format", "")), _temperature(single.get("temperature", ""))
    for value in lists["include"]:
        _choice("include", value, ("logprobs",))
        losses.add("include", "Gemini tells no probabilities of tokens")
    for value in lists["timestamp_granularities"]:
        _choice("timestamp_granularities", value, ("word", "segment"))
    request = TranscriptionRequest(
        audio=file.data,
        header=header,
        shown=_shown(kind, lists["timestamp_granularities"], losses, translate=translate, temperature=temperature),
        stream=_stream(single.get("stream", ""), kind, losses, translate=translate),
        language=_language("language", single.get("language", "")),
        languages=tuple(_language("languages", value) for value in lists["languages"]),
        prompt=single.get("prompt", ""),
        keywords=tuple(lists["keywords"]),
        temperature=temperature,
    )
    if len(request.prompt) + sum(map(len, (*request.keywords, *request.languages))) > MAX_HINTS:
        raise Invalid(
            f"`prompt`, `keywords` and `languages` have more than {MAX_HINTS} characters together", param="prompt"
        )
    return request


def _sorted(form: Form, losses: Losses) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The plain fields that have a value: those that stand once, and those that are lists."""
    single: dict[str, str] = {}
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    for given, value in form.fields:
        match = _FIELD.fullmatch(given)
        name = given if match is None else match[1]
        if not value:
            continue
        if name in lists:
            lists[name].append(value)
        elif name == "file":
            raise Invalid("`file` must be a file of the form, with a file name", param="file")
        elif name == "chunking_strategy":
            losses.add(name, "Gemini hears a recording as a whole", weight="note")
        elif name in _SPEAKERS:
            losses.add(name, "speakers are not told apart")
        elif name not in _SINGLE:
            losses.add(given[:_SHOWN], "not a field of transcriptions that is known")
        elif name in single:
            raise Invalid(f"The field `{name}` stands in the form twice", param=name)
        else:
            single[name] = value
    return single, lists


def _recording(form: Form, losses: Losses) -> FormFile:
    files = [file for file in form.files if file.name == "file"]
    if len(files) != 1:
        what = "stands in the form twice; one recording is heard at a time" if files else "is required"
        raise Invalid(f"`file` {what}", param="file")
    for file in form.files:
        if file.name in (*_SINGLE, *_LISTS):
            raise Invalid(f"`{file.name}` is a plain field of the form, not a file", param=file.name)
        if file.name != "file":
            losses.add(file.name[:_SHOWN], "not a file of a transcription that is known")
    return files[0]


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise wrong(name, f"one of {', '.join(f'`{choice}`' for choice in choices)}; it is {value[:_SHOWN]!r}")
    return value


def _format(value: str) -> Format:
    if value == "diarized_json":
        message = "`response_format` is `diarized_json`, but this model does not tell speakers apart"
        raise Invalid(message, param="response_format")
    return cast("Format", _choice("response_format", value, get_args(Format))) if value else "json"


def _temperature(value: str) -> float | None:
    if not value:
        return None
    try:
        temperature = float(value)
    except ValueError:
        temperature = math.nan
    if not 0 <= temperature <= 1:
        raise wrong("temperature", f"a number between 0 and 1; it is {value[:_SHOWN]!r}")
    return temperature


def _shown(
    kind: Format, granularities: list[str], losses: Losses, *, translate: bool, temperature: float | None
) -> Shown:
    if kind in _TIMED:
        losses.add("response_format", "Gemini estimates times", action=f"{kind} with estimated times", weight="note")
    elif granularities:
        losses.add("timestamp_granularities", "only `verbose_json` shows times", weight="note")
    verbose = kind == "verbose_json"
    words = verbose and "word" in granularities
    if verbose and not words:
        why = "Gemini tells no tokens and no probabilities"
        losses.add("segments", why, action="with neutral values", weight="note")
    return Shown(
        format=kind,
        translated=translate,
        segments=not words or "segment" in granularities,
        words=words,
        temperature=temperature or 0.0,
    )


def _stream(value: str, kind: Format, losses: Losses, *, translate: bool) -> bool:
    if value and value.lower() not in _TRUTH:
        raise wrong("stream", f"`true` or `false`; it is {value[:_SHOWN]!r}")
    if not _TRUTH.get(value.lower(), False):
        return False
    if translate or kind in _TIMED:
        # As with `whisper-1`, which ignores the field.
        what = "a translation is" if translate else f"`{kind}` is"
        losses.add("stream", f"{what} answered as a whole", action="answered as a whole")
        return False
    return True


def _language(name: str, value: str) -> str:
    if value and (len(value) > _LONGEST_LANGUAGE or _LANGUAGE.fullmatch(value) is None):
        raise wrong(name, f"an ISO 639 code such as `en`; it is {value[:_SHOWN]!r}")
    return value
