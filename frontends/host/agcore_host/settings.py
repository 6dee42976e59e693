"""The IO side of configuration: finds the file, reads it, looks up its secrets, and has the core make sense of it.

Where the file is, `places` says. Without any, providers come from the environment. Where those give no provider either,
the demo provider answers, on loopback only: `refusals` is the whole list of reasons for which a server must not start.

Names of files in a configuration file, those of secrets too, are relative to its own directory.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agcore.config import (
    Config,
    ConfigError,
    Parsed,
    from_environment,
    is_loopback,
    parse,
    secret_refs,
    startup_problems,
    with_bind,
    with_file_names,
)
from agcore.protocol import Event
from agcore_host import trust
from agcore_host.commands import Commands
from agcore_host.places import Found, find, state_dir

if TYPE_CHECKING:
    from agcore_host.certificate import Certificate
    from agcore_host.run_files import Run


class Settings(msgspec.Struct, frozen=True):
    """A configuration and where it came from."""

    parsed: Parsed
    path: Path | None = None
    """The file; None where there is none and the environment alone decided."""
    remarks: tuple[str, ...] = ()
    """Sentences about files that were passed over."""

    @property
    def origin(self) -> str:
        """Where it came from, for people."""
        return "the environment (no configuration file)" if self.path is None else str(self.path)


class SettingsError(ValueError):
    """A configuration that cannot be used: `str` says why in one line, `details` has a line for each problem."""

    def __init__(self, message: str, details: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


class Source:
    """A configuration that can be read again, of the file that was found once, or of the environment.

    Args:
        named: the path of the file, as the user gave it; None to look in the usual places.
        environ: the environment's variables.
        host: the address to listen on, whatever the configuration says; None for what that says.
        port: the port, likewise.

    Attributes:
        found: the file, and how it was found.
        path: the file; None where there is none.
    """

    def __init__(
        self, named: str | None, environ: Mapping[str, str], *, host: str | None = None, port: int | None = None
    ) -> None:
        self.found = find(named, environ)
        self.path = self.found.path
        self._environ = environ
        self._host = host
        self._port = port
        self.commands = Commands()
        """What the commands printed that its secrets come from."""

    @property
    def companions(self) -> tuple[Path, ...]:
        """The files besides its own that decide whether it may be read."""
        state = state_dir(self._environ)
        if not self.found.guarded or self.path is None or state is None:
            return ()
        return (trust.entry(self.path, state),)

    def load(self) -> Settings:
        """Reads it. Where there was no file at first, there may be one now.

        Raises:
            SettingsError: as of the function `load`.
        """
        found = find(None, self._environ) if self.path is None else self.found
        loaded = load_found(found, self._environ, self.commands)
        config = with_bind(loaded.parsed.config, host=self._host, port=self._port)
        return msgspec.structs.replace(loaded, parsed=msgspec.structs.replace(loaded.parsed, config=config))


def load(named: str | None, environ: Mapping[str, str]) -> Settings:
    """Reads the configuration that is in force.

    Args:
        named: the path of the file, as the user gave it; None to look in the usual places.
        environ: the environment's variables.

    Raises:
        SettingsError: the file cannot be read, is not a configuration, or is not trusted any more.
    """
    return load_found(find(named, environ), environ)


def load_found(found: Found, environ: Mapping[str, str], commands: Commands | None = None) -> Settings:
    """Reads the configuration of a file that was found before, or of the environment where none was.

    Args:
        found: the file.
        environ: the environment's variables.
        commands: knows what commands printed before; None to run each anew.

    Raises:
        SettingsError: as of `load`; its cause is what the file or the parser raised.
    """
    path = found.path
    origin = "the environment" if path is None else str(path)
    try:
        if path is None:
            return Settings(from_environment(environ), remarks=found.remarks)
        parsed = _read(path, environ, commands or Commands(), guarded=found.guarded)
        return Settings(parsed, path, found.remarks)
    except ConfigError as error:
        count = len(error.problems)
        message = f"{count} {'problem' if count == 1 else 'problems'} in the configuration of {origin}"
        raise SettingsError(message, map(str, error.problems)) from error
    except OSError as error:
        raise SettingsError(f"cannot read the configuration {origin}: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"cannot read the configuration {origin}: not UTF-8 at byte {error.start}") from error


def _read(path: Path, environ: Mapping[str, str], commands: Commands, *, guarded: bool) -> Parsed:
    data = path.read_bytes()
    if guarded:
        # What is judged is what is used: the file may be another one than a moment ago.
        standing = trust.standing(path, state_dir(environ), content=data)
        if standing is not trust.Standing.TRUSTED:
            raise SettingsError(f"{path}: {standing.value}; if that was you, say so with: agcore trust")
    text = data.decode("utf-8")
    secrets = resolve(secret_refs(text), environ, beside=path.parent, commands=commands)
    parsed = parse(text, secrets=secrets, environ=environ)
    config = with_file_names(parsed.config, partial(file_name, beside=path.parent))
    lost = state_file_warning(config)
    return msgspec.structs.replace(parsed, config=config, warnings=(*parsed.warnings, *([lost] if lost else [])))


def state_file_warning(config: Config) -> str:
    """A sentence about a state file that cannot be written; empty where it can, or where there is none."""
    state = config.pool.state_file
    if not state:
        return ""
    folder = os.path.dirname(os.path.realpath(state))
    if not os.path.isdir(state) and os.access(folder, os.W_OK):
        return ""
    lack = "it is a directory" if os.path.isdir(state) else f"{folder} is no directory that can be written"
    return f"pool.state_file: cannot write {state}: {lack}; a restart forgets which keys are limited"


def resolve(
    references: Iterable[str], environ: Mapping[str, str], *, beside: Path, commands: Commands | None = None
) -> dict[str, str]:
    """Looks up `env:NAME`, `file:PATH` and `cmd:COMMAND`; what is not there is left out, as the parser says then.

    Args:
        references: as written in the file.
        environ: the environment's variables.
        beside: the directory that relative paths start from.
        commands: knows what commands printed before; None to run each anew.
    """
    secrets: dict[str, str] = {}
    for written in references:
        kind, _, name = written.partition(":")
        if kind == "env":
            value = environ.get(name)
        elif kind == "cmd":
            value = (commands or Commands()).output(name, beside=beside)
        else:
            try:
                value = Path(file_name(name, beside=beside)).read_text(encoding="utf-8")
            except (OSError, ValueError):  # no such file, not text
                value = None
        if value is not None:
            secrets[written] = value
    return secrets


def file_name(name: str, *, beside: Path) -> str:
    """The path of a file that a configuration names, seen from its directory; `~` is the user's home."""
    try:
        return str(beside / Path(name).expanduser())
    except RuntimeError:  # no home to expand
        return str(beside / name)


def needs_demo(config: Config) -> bool:
    """Whether nothing is configured that could answer, so that the demo provider does."""
    return not config.providers and not config.mcp


def refusals(config: Config) -> tuple[str, ...]:
    """Says why a server with this configuration must refuse to start: a sentence each, none if it may."""
    problems = startup_problems(config)
    if needs_demo(config) and not is_loopback(config.proxy.host):
        host = config.proxy.host
        demo = f"no provider is configured, and the demo provider is served on loopback only, not on {host}"
        problems = (*problems, f'{demo}; configure a provider, or listen on "127.0.0.1"')
    try:
        certificate_of(config)
    except SettingsError as error:
        problems = (*problems, str(error))
    return (*problems, *unusable_ca_files(config))


def unusable_ca_files(config: Config) -> list[str]:
    """A sentence for each `ca_file` that cannot be read, or holds no CA."""
    named = {"proxy.ca_file": config.proxy.ca_file}
    for provider in config.providers:
        for endpoint in provider.endpoints.values():
            named[f"ca_file of the provider {provider.name}"] = endpoint.origin.ca_file
    if not any(named.values()):
        return []
    from agcore_host.upstream.tls import read_ca_file

    unusable = []
    for where, path in named.items():
        try:
            if path:
                read_ca_file(path)
        except OSError as error:
            unusable.append(f"{where}: cannot use {path}: {reason(error)}")
    return unusable


def certificate_of(config: Config, sink: Callable[[Event], None] = lambda _: None) -> Certificate | None:
    """The certificate to serve HTTPS with; None where none is configured.

    Args:
        config: the configuration.
        sink: told, later on, of files that have changed and cannot be used.

    Raises:
        SettingsError: it cannot be loaded.
    """
    if not config.proxy.tls_cert:
        return None
    from agcore_host.certificate import Certificate, CertificateError

    try:
        return Certificate(config.proxy.tls_cert, config.proxy.tls_key, sink)
    except CertificateError as error:
        raise SettingsError(str(error)) from None


def reason(error: OSError) -> str:
    """What the system says, as the end of a sentence."""
    return (error.strerror or str(error)).lower()


_ADVICE = {
    errno.EADDRINUSE: "; another program listens there, choose another port with --port",
    errno.EACCES: "; ports below 1024 are for privileged users, choose another with --port",
    errno.EADDRNOTAVAIL: "; no interface of this machine has that address, choose another with --host",
}


def listen_problem(host: str, port: int, error: OSError, runs: Sequence[Run] = ()) -> str:
    """Says why a server cannot listen, and what to do about it.

    Args:
        host: where it was to listen.
        port: likewise.
        error: what came of that.
        runs: the gateways that run on this machine.
    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    advice = _ADVICE.get(error.errno or 0, "")
    for run in runs if error.errno == errno.EADDRINUSE else ():
        if run.port == port:
            by = run.config or "the environment"
            advice = (
                f"; a gateway runs there (configuration: {by}; process {run.pid}): use it, stop it, or choose another "
                "port with --port"
            )
    return f"cannot listen on {where}: {reason(error)}{advice}"
