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
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from agcore_cli.command_line import UsageError, help_text, parse
from agcore_cli.terminal import INTERRUPTED, NO, NO_GATEWAY, OK, UNUSABLE, complain, refuse

if TYPE_CHECKING:
    from agcore.config import Config
    from agcore_cli.gateways import Found
    from agcore_host.certificate import Certificate
    from agcore_host.settings import Settings, Source
    from agcore_host.watch import Watch
    from agcore_trio.sinks import LogSink

_DEMO_NOTICE: Final = "no provider is configured, so the built-in demo answers: there is no model behind it"
_DEMO_REMEDY: Final = (
    "for real answers set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or write [[providers]] in agcore.toml"
)


def main(argv: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: the arguments, without the program's name; by default those of the process.

    Returns:
        The exit code. Help and version end in SystemExit instead, as argparse has it.
    """
    try:
        options = parse(argv)
    except UsageError as error:
        return refuse(str(error))
    code = OK
    try:
        code = _run(options)
    except* KeyboardInterrupt:
        print(file=sys.stderr)
        code = INTERRUPTED
    except* BrokenPipeError:
        # Who reads has seen enough (`agcore routes | head`); Python would complain of it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(options: argparse.Namespace) -> int:
    from agcore_host.settings import SettingsError

    try:
        code = _VERBS[options.verb](options)
        sys.stdout.flush()
    except SettingsError as error:
        return refuse(str(error), *error.details)
    return code


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
    import time

    import trio

    from agcore.config import startup_warnings
    from agcore_host import settings
    from agcore_host.log_lines import json_line, text_line
    from agcore_host.watch import Watch
    from agcore_trio.sinks import LogSink

    source = settings.Source(options.config, os.environ, host=options.host, port=options.port)
    _tell(source.found.remarks)
    watch = None if source.path is None else Watch(source.path, source.companions, are_due=source.commands.are_due)
    loaded = source.load()
    config = loaded.parsed.config
    if problems := settings.refusals(config):
        return refuse(f"refusing to start with this configuration (from {loaded.origin})", *problems)
    for warning in (*loaded.parsed.warnings, *startup_warnings(config, now=time.time())):
        complain("warning", warning)
    if loaded.parsed.unused:
        complain("warning", f"not yet in effect: {', '.join(loaded.parsed.unused)}")
    if settings.needs_demo(config):
        complain("demo", _DEMO_NOTICE, [_DEMO_REMEDY])
    if options.log_format != "json":  # whose lines are all rows
        from agcore.config import summarize_config

        print(f"agcore: {loaded.origin}: {summarize_config(config)}", file=sys.stderr)
    sink = LogSink(json_line if options.log_format == "json" else text_line, hear=source.commands.hear)
    return trio.run(_listen, config, sink, settings.certificate_of(config, sink), source, watch)


async def _listen(
    config: Config, sink: LogSink, certificate: Certificate | None, source: Source, watch: Watch | None
) -> int:
    import gc
    import time

    import trio

    from agcore import Gateway
    from agcore_host.run_files import RunFile, running
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
            code = refuse(listen_problem(host, port, error, running(os.environ)))
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
    import time

    from agcore.config import startup_problems
    from agcore_cli import env, gateways

    try:
        found = gateways.find(options.config, os.environ)
    except gateways.NoGateway as error:
        loaded = _load(options)
        config = loaded.parsed.config
        if problems := startup_problems(config):
            return refuse(f"the gateway would not start with this configuration (from {loaded.origin})", *problems)
        target = env.target(config, f"not running yet; these are the settings of {loaded.origin}", now=time.time())
        complain("warning", f"{error}; these are the settings of {loaded.origin}", ["start it with: agcore serve"])
    else:
        _tell_which(found)
        target = env.target(
            found.settings(os.environ).parsed.config, found.origin, now=time.time(), running_at=found.run.address
        )
    for sentence in env.overrides(options.client, os.environ):
        complain("warning", sentence)
    command = f"agcore env {options.client}{_config_words(options)}"
    if options.shell != "sh":
        command += f" --shell {options.shell}"
    print(*env.lines(options.client, options.shell, target, command=command, environ=os.environ), sep="\n")
    return OK


def _status(options: argparse.Namespace) -> int:
    from agcore_cli import running

    def show(found: Found) -> int:
        reply = running.ask(found, os.environ, "GET", "/admin/api/status")
        print(*([reply.body.decode()] if options.json else running.status_lines(reply.body, found.origin)), sep="\n")
        return OK

    return _of_running(options, show)


def _reset(options: argparse.Namespace) -> int:
    import json

    from agcore_cli import running

    def reset(found: Found) -> int:
        wanted = {"all": True} if options.key == "all" else {"key": options.key}
        reply = running.ask(found, os.environ, "POST", "/admin/api/reset", wanted)
        labels = json.loads(reply.body)["reset"]
        whose = "no key" if options.key == "all" else f"no key of {options.key}"
        print(f"in use again: {', '.join(labels)}" if labels else f"{whose} was left alone")
        return OK

    return _of_running(options, reset)


def _tell_which(found: Found) -> None:
    """Says which gateway is meant where there are several."""
    if found.others:
        complain("notice", f"{found.others + 1} gateways run; this is the newest, at {found.origin}")


def _of_running(options: argparse.Namespace, work: Callable[[Found], int]) -> int:
    """Does something with the running gateway that is meant; says which one where there are several."""
    from agcore_cli import gateways, running

    try:
        found = gateways.find(options.config, os.environ)
        _tell_which(found)
        return work(found)
    except gateways.NoGateway as error:
        complain("error", str(error), ["start one with: agcore serve"])
        return NO_GATEWAY
    except running.Refused as error:
        complain("error", str(error))
        return NO if error.status == 404 else UNUSABLE


def _config_words(options: argparse.Namespace) -> str:
    """The words that name the same file to another verb."""
    import shlex

    return "" if options.config is None else f" --config {shlex.quote(options.config)}"


def _check(options: argparse.Namespace) -> int:
    import time

    from agcore.config import describe_config, upstreams_here
    from agcore_host.settings import refusals

    loaded = _load(options)
    print(f"Configuration\n  {loaded.origin}\n\n{describe_config(loaded.parsed, now=time.time())}", end="")
    problems = refusals(loaded.parsed.config)
    if problems:
        return refuse("with this configuration `agcore serve` refuses to start", *problems)
    config = loaded.parsed.config
    usable = not config.providers or config.mcp or any(provider.has_credential for provider in config.providers)
    if not usable:
        complain("error", "nothing could be served: no provider has a key that can be used")
    looping = list(upstreams_here(config))
    if looping:
        complain("error", "requests would go round in a loop", looping)
    return max(OK if usable and not looping else NO, _check_live(loaded) if options.live else OK)


def _check_live(loaded: Settings) -> int:
    config = loaded.parsed.config
    if not config.providers:
        print("\nLive\n  nothing to try: no provider is configured")
        return OK
    from agcore_cli import running
    from agcore_cli.live import report, try_all

    tried = try_all(config)
    print("\nLive", *(f"  {line}" for line in report(tried)), sep="\n")
    proven = [each.key for each in tried if each.proven]
    if lifted := running.lift(proven, loaded.path, os.environ):
        print(f"  in use again in the gateway that runs: {', '.join(lifted)}")
    if not proven:
        complain("error", "nothing could be proven: no provider showed a list of models for a key")
    return OK if proven and all(each.ok for each in tried) else NO


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
        near = found.near if isinstance(found, Miss) else ()
        hint = f"did you mean {', '.join(near)}?" if near else "the names that are served: agcore models"
        complain("error", f"no provider serves a model of the name {options.name!r}", [hint])
        return NO
    print(*lines, sep="\n")
    return OK


def _routes(_: argparse.Namespace) -> int:
    from agcore import describe_routes

    print(describe_routes(), end="")
    return OK


def _help(_: argparse.Namespace) -> int:
    print(help_text(), end="")
    return OK


_VERBS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "": _help,
    "serve": _serve,
    "demo": _demo,
    "init": _init,
    "trust": _trust,
    "env": _env,
    "status": _status,
    "reset": _reset,
    "check": _check,
    "models": _models,
    "routes": _routes,
}
"""By the names that `command_line` has."""
