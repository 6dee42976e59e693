"""An operation that reads two files into a stream, for tests of what the exchange makes of files."""

from __future__ import annotations

from agcore import Config, Exchange, RequestEnd
from agcore.machines.exchange import begin
from agcore.operations.base import BaseOperation
from agcore.protocol.fault import Fault
from agcore_sim.story import JSON, SSE, Story, gateway

PATHS = ("/pictures/a.png", "/pictures/b.png")
ROOTS = ("/pictures",)
LIMIT = 9


class FileReader(BaseOperation):
    """Writes what it is told of either file; fails when there is nothing in it, and ends after the second."""

    left = len(PATHS)

    def run(self, body: bytes, *, now: float) -> None:
        self.client.expect_stream(SSE, keepalive=b": hm\n\n", now=now)
        for path in PATHS:
            self.parts.environment.read_file(path, roots=ROOTS, max_bytes=LIMIT, now=now)

    def file_read(self, id: int, data: bytes, *, now: float) -> None:
        self._write(id, data, now)

    def file_refused(self, id: int, reason: str, *, now: float) -> None:
        self._write(id, reason.encode(), now)

    def _write(self, id: int, text: bytes, now: float) -> None:
        self.left -= 1
        if not text:
            self.client.fail(Fault(status=400, message=f"file {id} is empty"), now=now)
            return
        self.client.write(b"%d: %b\n" % (id, text), now=now)
        if not self.left:
            self.client.end(now=now)


def reading() -> Story:
    """Both files are being read, and nothing was sent."""
    story = Story(gateway(Config()))
    story.open("POST", "/v1/messages", headers=JSON)
    # No route leads to this operation: it takes the place of the one that was asked for.
    asked = story.exchange
    story.exchange = Exchange(asked.request, asked._services, operation=FileReader)
    begin(story.exchange, now=story.now)
    story.tell(RequestEnd())
    return story
