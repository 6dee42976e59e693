"""Uploads that no gateway should hold in memory, by plain HTTP, through each frontend."""

from __future__ import annotations

import http.client
import json
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.sdk.conftest import CLIENT_KEY
from tests.support.media_upstream import Part
from tests.support.patience import PATIENCE
from tests.support.recordings import wav
from tests.support.servers import Url
from tests.support.upstreams import Upstream

BOUNDARY = "a-boundary-0123456789"
MB = 1024 * 1024
PIECE = 256 * 1024
BLOCK = bytes(range(256)) * (PIECE // 256)


def field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def form(size: int, *, model: str, first: bool, head: bytes = b"") -> Iterator[bytes]:
    """A form with a file of `size` bytes behind `head`, a multiple of `PIECE`, and the model before or behind it."""
    named = field("model", model)
    if first:
        yield named
    file = 'name="file"; filename="long.wav"\r\nContent-Type: audio/wav'
    yield f"--{BOUNDARY}\r\nContent-Disposition: form-data; {file}\r\n\r\n".encode() + head
    for _ in range(size // PIECE):
        yield BLOCK
    yield b"\r\n"
    if not first:
        yield named
    yield f"--{BOUNDARY}--\r\n".encode()


def upload(
    url: str, size: int, *, first: bool, declared: bool = True, model: str = "alias", head: bytes = b""
) -> tuple[int, Mapping[str, str]]:
    """Sends a form to be transcribed; gives the status and the answer."""
    where = urlsplit(url)
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    if declared:
        headers["content-length"] = str(sum(map(len, form(size, model=model, first=first, head=head))))
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)) as connection:
        body = form(size, model=model, first=first, head=head)
        connection.request("POST", "/v1/audio/transcriptions", body, headers, encode_chunked=not declared)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("first", [True, False], ids=["model first", "model last"])
def test_5_megabytes_arrive_with_nothing_changed_but_the_model(
    gateway_url: Url, upstream: Upstream, first: bool, declared: bool
) -> None:
    status, answer = upload(gateway_url, 5 * MB, first=first, declared=declared)
    sent = upstream.requests[-1]
    assert (status, answer.get("text")) == (200, f"{Part('file', 'long.wav', '', BLOCK * 20).digest} ?"), answer
    assert sent.body == b"".join(form(5 * MB, model="vendor-real", first=first))
    # What is put aside is complete before it is sent, so that its length is known in any case.
    known = declared or not first
    assert sent.fields.get(b"content-length") == (b"%d" % len(sent.body) if known else None)
    assert sent.fields.get(b"transfer-encoding") == (None if known else b"chunked")


@pytest.mark.parametrize("first", [True, False], ids=["model first", "model last"])
def test_a_large_form_that_is_translated_arrives_whole(gateway_url: Url, upstream: Upstream, first: bool) -> None:
    head = wav(0)
    status, answer = upload(gateway_url, 5 * MB, first=first, declared=False, model="gemini-ears", head=head)
    assert status == 200, answer
    (part, *_) = json.loads(upstream.requests[-1].body)["contents"][0]["parts"]
    assert b64decode(part["inlineData"]["data"]) == head + BLOCK * 20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process has used at most")
@pytest.mark.parametrize("model", ["alias", "either"])
@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("first", [True, False], ids=["model first", "model last"])
def test_50_megabytes_take_less_than_10_of_memory(
    gateway_url: Url, upstream: Upstream, first: bool, declared: bool, model: str
) -> None:
    # So that what every upload needs is there already.
    assert upload(gateway_url, 2 * MB, first=first, declared=declared)[0] == 200
    process = Path("/proc", str(gateway_url.pid))
    (process / "clear_refs").write_text("5")  # the peak starts anew from what is in use
    before = memory(process, "VmHWM")
    assert upload(gateway_url, 50 * MB, first=first, declared=declared, model=model)[0] == 200
    assert len(upstream.requests.pop().body) > 50 * MB
    assert memory(process, "VmHWM") - before < 10 * MB


def memory(process: Path, field: str) -> int:
    """A size in bytes from /proc/PID/status."""
    lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return int(lines[field].removesuffix("kB")) * 1024
