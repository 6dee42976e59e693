"""Subtitles of a transcript: SubRip, and WebVTT as the W3C defines it (https://www.w3.org/TR/webvtt1/).

They leave well-formed whatever a model wrote: one line a cue, and nothing in it that would read as a time or a tag.
"""

from __future__ import annotations

from collections.abc import Sequence

from agcore.conversation.transcripts import Segment


def srt(segments: Sequence[Segment]) -> str:
    """Segments as SubRip."""
    cues = []
    for number, cue in enumerate(segments, 1):
        text = cue.text.replace("-->", "->")
        cues.append(f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{text}\n\n")
    return "".join(cues)


def vtt(segments: Sequence[Segment]) -> str:
    """Segments as WebVTT."""
    cues = ["WEBVTT\n\n"]
    for cue in segments:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n{text}\n\n")
    return "".join(cues)


def _stamp(seconds: float, point: str) -> str:
    """`HH:MM:SS.mmm`; hours may need more digits."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
