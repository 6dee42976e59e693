"""Answers in content codings that nobody asked for: undone before the calls hear of them.

Upstreams are asked for plain bodies, and some code them all the same (docs/wire/content-codings.md#answers). From here
on such an answer is a plain one: its pieces are decoded, and its head does not speak of the coding nor of the coded
length. A coding that is not known here stays as it is, in the head too, for whoever can pass it on.
"""

from __future__ import annotations

from collections.abc import Mapping

from agcore.codecs.content_coding import CodingError, ContentDecoder, TooLong, codings, unknown
from agcore.machines.upstream_call import UpstreamCall
from agcore.protocol.fault import Fault
from agcore.protocol.http import Headers
from agcore.protocol.inputs import Sent, Stage, UpstreamData, UpstreamEnd, UpstreamFailed, UpstreamHead, UpstreamInput


class CodedAnswers:
    """The coded answers of one exchange.

    Args:
        live: Leg -> the call whose live leg it is.
        most: Bytes that one piece of an answer may stand for.
    """

    def __init__(self, live: Mapping[int, UpstreamCall], *, most: int) -> None:
        self.decoders: dict[int, ContentDecoder] = {}
        """Leg -> what undoes the codings of its answer."""
        self._live = live
        self._most = most

    def receive(self, call: UpstreamCall, input: UpstreamInput, *, now: float) -> None:
        """Take in a head that names codings, or whatever follows it, and have the call hear what that means."""
        if isinstance(input, UpstreamHead):
            call.receive(self._head(input), now=now)
        elif isinstance(input, UpstreamData):
            self._data(call, input, now)
        else:
            decoder = self.decoders.pop(input.leg)
            call.receive(_end(decoder, input) if isinstance(input, UpstreamEnd) else input, now=now)

    def _head(self, head: UpstreamHead) -> UpstreamHead:
        names = codings(head.headers)
        if unknown(names) is not None:
            return head
        if names:
            self.decoders[head.leg] = ContentDecoder(names, limit=self._most, piecewise=True)
        return UpstreamHead(head.leg, head.status, _plain(head.headers, coded=bool(names)))

    def _data(self, call: UpstreamCall, data: UpstreamData, now: float) -> None:
        try:
            for piece in self.decoders[data.leg].feed(data.data):
                if data.leg not in self._live:  # the call has read enough
                    return
                call.receive(UpstreamData(data.leg, piece), now=now)
        except (CodingError, TooLong) as error:
            message = f"the body of {call.candidate.provider.name}'s answer {error}"
            call.reject(Fault(status=502, message=message, code="upstream_invalid_answer"), now=now)


def _plain(headers: Headers, *, coded: bool) -> Headers:
    """A head without codings, and without the length of what was coded."""
    dropped = (b"content-encoding", b"content-length") if coded else (b"content-encoding",)
    return tuple(field for field in headers if field[0] not in dropped)


def _end(decoder: ContentDecoder, end: UpstreamEnd) -> UpstreamInput:
    """What the end of a coded body is: a connection that closed within it, where the coding is not complete."""
    try:
        decoder.end()
    except CodingError as error:
        return UpstreamFailed(end.leg, Stage.BODY, Sent.ALL, reused=False, cause=str(error))
    return end
