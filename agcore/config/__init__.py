"""A configuration as values, from and to text.

All names listed here are public. `Config` and the values in it load with the package. The rest (the parser, the
presets, the report) loads on first use, because a gateway that was handed a `Config` needs none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from agcore.config.values import (
    ASKED_MODEL,
    DIALECT_NAMES,
    ClientKey,
    Config,
    Endpoint,
    Limits,
    McpServer,
    ModelRule,
    Pool,
    Provider,
    Proxy,
    Record,
    Retry,
    Secret,
    Timeouts,
)

if TYPE_CHECKING:
    from agcore.codecs.globs import is_glob
    from agcore.codecs.url import Url, is_host, is_loopback, parse_url
    from agcore.config.load import load_config
    from agcore.config.own_address import upstreams_here
    from agcore.config.parser import (
        Parsed,
        effective_auth_mode,
        from_environment,
        parse,
        secret_refs,
        startup_problems,
        startup_warnings,
        with_bind,
        with_demo,
        with_file_names,
    )
    from agcore.config.presets import PRESETS, Preset
    from agcore.config.problems import ConfigError, Problem
    from agcore.config.report import describe_config, summarize_config
    from agcore.config.secrets import CLIENT_KEY_PREFIX, fits_header
else:
    _ON_FIRST_USE: Final = {
        "CLIENT_KEY_PREFIX": "agcore.config.secrets",
        "PRESETS": "agcore.config.presets",
        "ConfigError": "agcore.config.problems",
        "Parsed": "agcore.config.parser",
        "Preset": "agcore.config.presets",
        "Problem": "agcore.config.problems",
        "Url": "agcore.codecs.url",
        "describe_config": "agcore.config.report",
        "effective_auth_mode": "agcore.config.parser",
        "fits_header": "agcore.config.secrets",
        "from_environment": "agcore.config.parser",
        "is_glob": "agcore.codecs.globs",
        "is_host": "agcore.codecs.url",
        "is_loopback": "agcore.codecs.url",
        "load_config": "agcore.config.load",
        "parse": "agcore.config.parser",
        "parse_url": "agcore.codecs.url",
        "secret_refs": "agcore.config.parser",
        "startup_problems": "agcore.config.parser",
        "summarize_config": "agcore.config.report",
        "startup_warnings": "agcore.config.parser",
        "upstreams_here": "agcore.config.own_address",
        "with_bind": "agcore.config.parser",
        "with_demo": "agcore.config.parser",
        "with_file_names": "agcore.config.parser",
    }

    def __getattr__(name: str) -> object:
        if name not in _ON_FIRST_USE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_ON_FIRST_USE[name]), name)


__all__ = [
    "ASKED_MODEL",
    "CLIENT_KEY_PREFIX",
    "DIALECT_NAMES",
    "PRESETS",
    "ClientKey",
    "Config",
    "ConfigError",
    "Endpoint",
    "Limits",
    "McpServer",
    "ModelRule",
    "Parsed",
    "Pool",
    "Preset",
    "Problem",
    "Provider",
    "Proxy",
    "Record",
    "Retry",
    "Secret",
    "Timeouts",
    "Url",
    "describe_config",
    "effective_auth_mode",
    "fits_header",
    "from_environment",
    "is_glob",
    "is_host",
    "is_loopback",
    "load_config",
    "parse",
    "parse_url",
    "secret_refs",
    "startup_problems",
    "startup_warnings",
    "summarize_config",
    "upstreams_here",
    "with_bind",
    "with_demo",
    "with_file_names",
]
