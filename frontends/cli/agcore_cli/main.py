"""The command `agcore`.

Results go to standard output, everything else to standard error, the access log too: the only thing that `serve` prints
on standard output is the line that says it is ready. Exit codes: 0 for success; 1 for an answer of "no" (a name that
does not resolve, a key that does not work, a show that failed); 2 for what the user has to put right first; 3 where no
gateway answers; 130 after an interruption.

What a verb needs is imported when it runs, because `agcore serve` is measured by the time to its first answer.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NoReturn

from agcore_cli.terminal import INTERRUPTED, NO, OK, complain, refuse

if TYPE_CHECKING:
    from agcore.config import Config
    from agcore_host.certificate import Certificate
    from agcore_host.settings import Settings, Source
    from agcore_host.watch import Watch
    from agcore_trio.sinks import LogSink

_DESCRIPTION: Final = "A local gateway for language models: one server, the protocols of OpenAI, Anthropic and Gemini."

_EPILOG: Final = """\
examples:
  agcore demo                       see every protocol answered, without a key
  agcore init                       write your configuration, with a client key and all settings to choose from
  agcore serve                      serve it, or what the environment has keys for
  agcore serve --port 9000          the same on another port
  agcore check --config my.toml     what a configuration means, or all that is wrong with it
  agcore check --live               the same, and whether every key works
  agcore models                     the names that clients can ask for
  agcore models claude-sonnet-4-5   where this one goes
  eval "$(agcore env claude)"       point Claude Code at the gateway

Without --config the file is the one that AGCORE_CONFIG names, then ./agcore.toml if it is trusted (agcore trust), then
agcore/agcore.toml in $XDG_CONFIG_HOME or ~/.config. Without a file, providers come from the environment:
OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY and others."""

_INIT_EPILOG: Final = """\
The file gets a new client key, and a provider for each API key that the environment has, by the name of its variable.
Only its owner can read it (mode 600); on Windows the permissions of its directory count.

Yours is agcore/agcore.toml in $XDG_CONFIG_HOME or ~/.config. With --here the file is ./agcore.toml, and trusted: it is
used in this directory alone, and goes before yours there."""

_TRUST_EPILOG: Final = """\
A file in a working directory may send your keys anywhere, so that it is passed over until you have looked at it.
Trusted is its path together with its content: after a change it is to be trusted again."""

_CHECK_EPILOG: Final = """\
With --live each provider is asked for its model list, once with each of its keys, and what came of it is printed. No
model is asked anything. A "?" is for a provider that has no list, so that nobody knows yet whether its key works. The
exit code is 1 if one of the keys does not work."""

_ENV_EPILOG: Final = """\
examples:
  eval "$(agcore env claude)"                                             sh, bash, zsh
  agcore env gemini --shell fish | source                                 fish
  agcore env openai --shell powershell | Out-String | Invoke-Expression   PowerShell

They are for the gateway that runs: the one of --config, else the only one, else the newest. Where none answers they
are for the configuration in force, and a warning says so.

What is printed holds the client key. All that is not a statement is a comment."""

_DEMO_NOTICE: Final = "no provider is configured, so the built-in demo answers: there is no model behind it"
_DEMO_REMEDY: Final = (
    "for real answers set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or write [[providers]] in agcore.toml"
)


class UsageError(Exception):
    """A command line that cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """Leaves the form of errors, and the end of the process, to `main`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def main(argv: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: the arguments, without the program's name; by default those of the process.

    Returns:
        The exit code. Help and version end in SystemExit instead, as argparse has it.
    """
    try:
        options = _parser().parse_args(argv)
    except UsageError as error:
        return refuse(str(error))
    code = OK
    try:
        code = _run(options.verb, options)
    except* KeyboardInterrupt:
        print(file=sys.stderr)
        code = INTERRUPTED
    except* BrokenPipeError:
        # Who reads has seen enough (`agcore routes | head`); Python would complain of it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(verb: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    from agcore_host.settings import SettingsError

    try:
        code = verb(options)
        sys.stdout.flush()
    except SettingsError as error:
        return refuse(str(error), *error.details)
    return code


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="agcore", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=raw, allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return OK

    parser.set_defaults(verb=show_help)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")

    def add(
        verb: Callable[[argparse.Namespace], int], name: str, what: str, *, epilog: str = ""
    ) -> argparse.ArgumentParser:
        text = f"{what[0].upper()}{what[1:]}."
        added = verbs.add_parser(
            name, help=what, description=text, epilog=epilog, formatter_class=raw, allow_abbrev=False
        )
        added.set_defaults(verb=verb)
        return added

    def add_config(verb: argparse.ArgumentParser) -> None:
        verb.add_argument(
            "--config", metavar="FILE", help="the configuration; by default a trusted ./agcore.toml, then yours"
        )

    serving = add(_serve, "serve", "run the gateway until SIGTERM or Ctrl-C")
    add_config(serving)
    serving.add_argument("--host", type=_host, metavar="H", help="the address to listen on, instead of proxy.host")
    serving.add_argument("--port", type=_port, metavar="P", help="the port, instead of proxy.port; 0 for a free one")
    serving.add_argument("--log-format", choices=("text", "json"), default="text", help="of the log on standard error")
    demo = add(_demo, "demo", "show every protocol on the built-in demo provider, then leave the gateway running")
    demo.add_argument("--once", action="store_true", help="exit after the show")
    demo.add_argument("--port", type=_port, metavar="P", help="the gateway's port; by default 8045, or a free one")
    starting = add(_init, "init", "write a first configuration", epilog=_INIT_EPILOG)
    where = starting.add_mutually_exclusive_group()
    where.add_argument("--config", metavar="FILE", help="where to; by default your own file")
    where.add_argument("--here", action="store_true", help="write ./agcore.toml, and trust it")
    starting.add_argument("--force", action="store_true", help="overwrite what is there")
    trusting = add(_trust, "trust", "let a configuration count in its directory", epilog=_TRUST_EPILOG)
    trusting.add_argument("file", nargs="?", default="agcore.toml", metavar="FILE", help="by default ./agcore.toml")
    clients = ("claude", "codex", "gemini", "openai")
    pointing = add(_env, "env", "print the settings that point a client at the gateway", epilog=_ENV_EPILOG)
    pointing.add_argument("client", choices=clients, metavar="CLIENT", help=", ".join(clients))
    add_config(pointing)
    shell = "powershell" if os.name == "nt" else "sh"
    shells = ("sh", "fish", "powershell")
    pointing.add_argument("--shell", choices=shells, default=shell, help="whose syntax; by default %(default)s")
    checking = add(_check, "check", "print what a configuration means", epilog=_CHECK_EPILOG)
    add_config(checking)
    checking.add_argument("--live", action="store_true", help="try every key of every provider, too")
    models = add(_models, "models", "list the models that clients can ask for, or show where a name goes")
    models.add_argument("name", nargs="?", metavar="NAME", help="a model's name, as a client would send it")
    add_config(models)
    add(_routes, "routes", "print the table of routes")
    return parser


class _Version(argparse.Action):
    """Imports the core only when its version is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from agcore import __version__

        print(f"agcore {__version__}")
        parser.exit()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)


def _host(text: str) -> str:
    from agcore.config import is_host

    if not is_host(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a host name or IP address (without brackets or port)")
    return text


def _load(options: argparse.Namespace) -> Settings:
    from agcore_host.settings import load

    loaded = load(options.config, os.environ)
    _tell(loaded.remarks)
    return loaded


def _tell(remarks: Iterable[str]) -> None:
    for remark in remarks:
        complain("notice", remark)


def _serve(options: argparse.Namespace) -> int:
    import gc

    # All that start-up makes stays: to look for garbage in it, now or in any later collection, would be a waste.
    gc.disable()
    try:
        return _prepare(options)
    finally:
        gc.enable()


def _prepare(options: argparse.Namespace) -> int:
    import trio

    from agcore.config import startup_warnings
    from agcore_host import settings
    from agcore_host.log_lines import json_line, text_line
    from agcore_host.watch import Watch
    from agcore_trio.sinks import LogSink

    source = settings.Source(options.config, os.environ, host=options.host, port=options.port)
    _tell(source.found.remarks)
    watch = None if source.path is None else Watch(source.path, source.companions)
    loaded = source.load()
    config = loaded.parsed.config
    if problems := settings.refusals(config):
        return refuse(f"refusing to start with this configuration (from {loaded.origin})", *problems)
    for warning in (*loaded.parsed.warnings, *startup_warnings(config)):
        complain("warning", warning)
    if loaded.parsed.unused:
        complain("warning", f"not yet in effect: {', '.join(loaded.parsed.unused)}")
    if settings.needs_demo(config):
        complain("demo", _DEMO_NOTICE, [_DEMO_REMEDY])
    sink = LogSink(json_line if options.log_format == "json" else text_line)
    return trio.run(_listen, config, sink, settings.certificate_of(config, sink), source, watch)


async def _listen(
    config: Config, sink: LogSink, certificate: Certificate | None, source: Source, watch: Watch | None
) -> int:
    import gc
    import time

    import trio

    from agcore import Gateway
    from agcore_host.run_files import RunFile
    from agcore_host.settings import listen_problem, needs_demo
    from agcore_trio.reload import Reloader
    from agcore_trio.server import serve

    code = OK
    host, port = config.proxy.host, config.proxy.port
    async with trio.open_nursery() as nursery:
        demo = ""

        async def complete(config: Config) -> Config:
            """Adds the demo, which is started when it is first needed and stays."""
            nonlocal demo
            if not needs_demo(config):
                return config
            from agcore.config import with_demo
            from agcore_cli.demo_server import serve_demo

            demo = demo or await nursery.start(serve_demo)
            return with_demo(config, demo)

        gateway = Gateway(await complete(config), secret=os.urandom(32), now=time.time())
        reloader = Reloader(source.load, host=host, watch=watch, sink=sink, complete=complete)
        run_file = RunFile(os.environ, source.found)

        def announce(url: str) -> None:
            if failure := run_file.write(url):
                complain("warning", failure)
            print(f"listening on {url}", flush=True)

        gc.freeze()
        gc.enable()
        try:
            await serve(
                gateway,
                host=host,
                port=port,
                sink=sink,
                certificate=certificate,
                reloader=reloader,
                announce=announce,
            )
        except OSError as error:
            code = refuse(listen_problem(host, port, error))
        finally:
            run_file.remove()
        nursery.cancel_scope.cancel()
    return code


def _demo(options: argparse.Namespace) -> int:
    from agcore_cli import demo
    from agcore_cli.terminal import Paper

    return demo.run(Paper(sys.stdout, os.environ), port=options.port, once=options.once)


def _init(options: argparse.Namespace) -> int:
    from agcore_cli import init

    print(*init.write(options.config, os.environ, here=options.here, force=options.force), sep="\n")
    return OK


def _trust(options: argparse.Namespace) -> int:
    from pathlib import Path

    from agcore_cli.init import trusted
    from agcore_host.places import FILE_NAME, NO_STATE_DIR, state_dir

    path, state = Path(options.file), state_dir(os.environ)
    if state is None:
        return refuse(NO_STATE_DIR)
    print(trusted(path / FILE_NAME if path.is_dir() else path, state))
    return OK


def _env(options: argparse.Namespace) -> int:
    from agcore.config import startup_problems
    from agcore_cli import env, gateways

    try:
        found = gateways.find(options.config, os.environ)
    except gateways.NoGateway as error:
        loaded = _load(options)
        config = loaded.parsed.config
        if problems := startup_problems(config):
            return refuse(f"the gateway would not start with this configuration (from {loaded.origin})", *problems)
        target = env.target(config, f"not running yet; these are the settings of {loaded.origin}")
        complain("warning", f"{error}; these are the settings of {loaded.origin}", ["start it with: agcore serve"])
    else:
        if found.others:
            complain("notice", f"{found.others + 1} gateways run; this is the newest, at {found.origin}")
        target = env.target(found.settings(os.environ).parsed.config, found.origin, running_at=found.run.address)
    for sentence in env.overrides(options.client, os.environ):
        complain("warning", sentence)
    command = f"agcore env {options.client}{_config_words(options)}"
    if options.shell != "sh":
        command += f" --shell {options.shell}"
    print(*env.lines(options.client, options.shell, target, command=command, environ=os.environ), sep="\n")
    return OK


def _config_words(options: argparse.Namespace) -> str:
    """The words that name the same file to another verb."""
    import shlex

    return "" if options.config is None else f" --config {shlex.quote(options.config)}"


def _check(options: argparse.Namespace) -> int:
    from agcore.config import describe_config
    from agcore_host.settings import refusals

    loaded = _load(options)
    print(f"Configuration\n  {loaded.origin}\n\n{describe_config(loaded.parsed)}", end="")
    problems = refusals(loaded.parsed.config)
    if problems:
        return refuse("with this configuration `agcore serve` refuses to start", *problems)
    return _check_live(loaded.parsed.config) if options.live else OK


def _check_live(config: Config) -> int:
    if not config.providers:
        print("\nLive\n  nothing to try: no provider is configured")
        return OK
    from agcore_cli.live import report, try_all

    tried = try_all(config)
    print("\nLive", *(f"  {line}" for line in report(tried)), sep="\n")
    return OK if all(each.ok for each in tried) else NO


def _models(options: argparse.Namespace) -> int:
    from agcore import Catalog, Miss
    from agcore.config import with_demo
    from agcore_cli import listings
    from agcore_host.settings import needs_demo

    config = _load(options).parsed.config
    if needs_demo(config):
        complain("demo", _DEMO_NOTICE, [_DEMO_REMEDY])
        config = with_demo(config, "http://127.0.0.1")
    catalog = Catalog(config)
    if options.name is None:
        print(*listings.models(catalog, config.providers), sep="\n")
        return OK
    lines = listings.resolutions(catalog, options.name)
    if not lines:
        found = catalog.resolve(options.name)
        near = [f"did you mean {', '.join(found.near)}?"] if isinstance(found, Miss) and found.near else []
        complain("error", f"no provider serves a model of the name {options.name!r}", near)
        return NO
    print(*lines, sep="\n")
    return OK


def _routes(_: argparse.Namespace) -> int:
    from agcore import describe_routes

    print(describe_routes(), end="")
    return OK
