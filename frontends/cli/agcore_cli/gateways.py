"""The gateways that run on this machine, as commands find and ask them.

A command means the gateway of `--config`, else the only one, else the newest that answers.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from agcore.config import Config
from agcore_host import places
from agcore_host.run_files import Run, running
from agcore_host.settings import Settings, load_found

PATIENCE: Final = 5.0
"""Seconds for each thing that is waited for: a gateway answers at once or not at all."""


class NoGateway(Exception):
    """No gateway answers; `str` says which one was looked for."""


class Reply(msgspec.Struct, frozen=True):
    """What a gateway answered."""

    status: int
    body: bytes


class Found(msgspec.Struct, frozen=True):
    """A gateway that answers."""

    run: Run
    others: int = 0
    """How many more there are."""

    @property
    def origin(self) -> str:
        """Its address and its configuration, for people."""
        return f"{self.run.address} (configuration: {self.run.config or 'the environment'})"

    def settings(self, environ: Mapping[str, str]) -> Settings:
        """Its configuration, as this process can read it.

        Raises:
            SettingsError: it cannot.
        """
        path = None if self.run.config is None else Path(self.run.config)
        return load_found(places.Found(path, guarded=self.run.guarded), environ)


def find(config: str | None, environ: Mapping[str, str]) -> Found:
    """The gateway that is meant.

    Args:
        config: the file that `--config` names, or None.
        environ: says where the state directory is.

    Raises:
        NoGateway: there is none, or it does not answer.
    """
    runs = running(environ)
    if config is not None:
        wanted = str(Path(config).resolve())
        runs = [run for run in runs if run.config == wanted]
    answering = [run for run in runs if _answers(run)]
    if not answering:
        raise NoGateway("no gateway answers" + (f" that runs with {config}" if config else ""))
    return Found(answering[0], len(answering) - 1)


def serving(path: Path | None, environ: Mapping[str, str]) -> Found | None:
    """The gateway that goes by a configuration's file, or by the environment alone; None where none answers."""
    wanted = None if path is None else str(path.resolve())
    return next((Found(run) for run in running(environ) if run.config == wanted and _answers(run)), None)


def ask(run: Run, method: str, path: str, *, body: object = None, key: str = "", config: Config | None = None) -> Reply:
    """Asks a gateway one thing.

    Args:
        run: where it is.
        method: of the request.
        path: below its base URL.
        body: sent as JSON; None for none.
        key: is shown to it; empty for none.
        config: names the certificate that it serves HTTPS with.

    Raises:
        OSError: it does not answer.
    """
    url = urlsplit(run.address)
    host = url.hostname or ""
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        certificate = "" if config is None else config.proxy.tls_cert
        connection = http.client.HTTPSConnection(host, url.port, timeout=PATIENCE, context=_trusting(certificate))
    else:
        connection = http.client.HTTPConnection(host, url.port, timeout=PATIENCE)
    headers = {"accept": "application/json"} | ({"x-api-key": key} if key else {})
    data = None
    if body is not None:
        data, headers["content-type"] = msgspec.json.encode(body), "application/json"
    with closing(connection):
        try:
            connection.request(method, url.path + path, data, headers)
            response = connection.getresponse()
            return Reply(response.status, response.read())
        except http.client.HTTPException as error:
            raise OSError(f"no HTTP answer: {error}") from None


def _answers(run: Run) -> bool:
    try:
        # A refusal is an answer, too.
        return ask(run, "GET", "/healthz").status < 500
    except OSError:
        return False


def _trusting(certificate: str) -> ssl.SSLContext:
    """Trusts the gateway's own certificate and nothing else, whatever names it has; any one where it is not known."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if certificate:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(certificate)
    else:
        context.verify_mode = ssl.CERT_NONE
    return context
