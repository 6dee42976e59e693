"""The command line of `agcore`: its verbs, their options, and what `--help` says of them."""

from __future__ import annotations

import argparse
import os
from typing import Final, NoReturn

_DESCRIPTION: Final = "A local gateway for language models: one server, the protocols of OpenAI, Anthropic and Gemini."

_EPILOG: Final = """\
examples:
  agcore demo                       see every protocol answered, without a key
  agcore init                       write your configuration, with a client key and all settings to choose from
  agcore serve                      serve it, or what the environment has keys for
  agcore serve --port 9000          the same on another port
  agcore check --config my.toml     what a configuration means, or all that is wrong with it
  agcore check --live               the same, and whether every key works
  agcore status                     what the running gateway knows of its keys
  agcore reset openai#1             have it use this one again, though it is left alone
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

_STATUS_EPILOG: Final = """\
A key is left alone after a limit, a refusal or trouble, for a model or as a whole, until the moment that is shown.
`agcore reset` ends that; so do a restart without pool.state_file, and `agcore check --live` for keys that work."""

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


class UsageError(Exception):
    """A command line that cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """Leaves the form of errors, and the end of the process, to `main`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}{_near(message)}; see `{self.prog} --help`")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The options of a command; `verb` is its name, and empty where there is none.

    Raises:
        UsageError: it cannot be understood.
        SystemExit: help or the version was asked for, and is printed.
    """
    return _parser().parse_args(argv)


def help_text() -> str:
    """What `agcore --help` prints."""
    return _parser().format_help()


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="agcore", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=raw, allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")

    parser.set_defaults(verb="")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")

    def add(name: str, what: str, *, epilog: str = "") -> argparse.ArgumentParser:
        text = f"{what[0].upper()}{what[1:]}."
        added = verbs.add_parser(
            name, help=what, description=text, epilog=epilog, formatter_class=raw, allow_abbrev=False
        )
        added.set_defaults(verb=name)
        return added

    def add_config(verb: argparse.ArgumentParser) -> None:
        verb.add_argument(
            "--config", metavar="FILE", help="the configuration; by default a trusted ./agcore.toml, then yours"
        )

    serving = add("serve", "run the gateway until SIGTERM or Ctrl-C")
    add_config(serving)
    serving.add_argument("--host", type=_host, metavar="H", help="the address to listen on, instead of proxy.host")
    serving.add_argument("--port", type=_port, metavar="P", help="the port, instead of proxy.port; 0 for a free one")
    serving.add_argument("--log-format", choices=("text", "json"), default="text", help="of the log on standard error")
    demo = add("demo", "show every protocol on the built-in demo provider, then leave the gateway running")
    demo.add_argument("--once", action="store_true", help="exit after the show")
    demo.add_argument("--port", type=_port, metavar="P", help="the gateway's port; by default 8045, or a free one")
    starting = add("init", "write a first configuration", epilog=_INIT_EPILOG)
    where = starting.add_mutually_exclusive_group()
    where.add_argument("--config", metavar="FILE", help="where to; by default your own file")
    where.add_argument("--here", action="store_true", help="write ./agcore.toml, and trust it")
    starting.add_argument("--force", action="store_true", help="overwrite what is there")
    trusting = add("trust", "let a configuration count in its directory", epilog=_TRUST_EPILOG)
    trusting.add_argument("file", nargs="?", default="agcore.toml", metavar="FILE", help="by default ./agcore.toml")
    clients = ("claude", "codex", "gemini", "openai")
    pointing = add("env", "print the settings that point a client at the gateway", epilog=_ENV_EPILOG)
    pointing.add_argument("client", choices=clients, metavar="CLIENT", help=", ".join(clients))
    add_config(pointing)
    shell = "powershell" if os.name == "nt" else "sh"
    shells = ("sh", "bash", "zsh", "fish", "powershell", "pwsh")
    pointing.add_argument("--shell", choices=shells, default=shell, help="whose syntax; by default %(default)s")
    telling = add("status", "show what the running gateway knows of its keys", epilog=_STATUS_EPILOG)
    add_config(telling)
    telling.add_argument("--json", action="store_true", help="as the gateway tells it")
    forgetting = add("reset", "have the running gateway use keys again that it leaves alone")
    forgetting.add_argument(
        "key", nargs="?", default="all", metavar="KEY", help="PROVIDER#N, PROVIDER or all (default)"
    )
    add_config(forgetting)
    checking = add("check", "print what a configuration means", epilog=_CHECK_EPILOG)
    add_config(checking)
    checking.add_argument("--live", action="store_true", help="try every key of every provider, too")
    models = add("models", "list the models that clients can ask for, or show where a name goes")
    models.add_argument("name", nargs="?", metavar="NAME", help="a model's name, as a client would send it")
    add_config(models)
    add("routes", "print the table of routes")
    return parser


def _near(message: str) -> str:
    """The question whether another of the choices was meant that argparse lists in a complaint."""
    import re
    from difflib import get_close_matches

    found = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
    near = get_close_matches(found[1].lower(), found[2].replace("'", "").split(", "), 1) if found else []
    return f"; did you mean {near[0]}?" if near else ""


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
