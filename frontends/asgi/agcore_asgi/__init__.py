"""The ASGI frontend of agcore: `create_app(config)`, or the ready-made `app`.

Run it in any ASGI server (`uvicorn agcore_asgi:app`) or mount it in another application. `app` reads the file named by
`AGCORE_CONFIG`, else `./agcore.toml` if it is trusted, else the user's file, else providers from the environment.
"""

from __future__ import annotations

from typing import Final

from agcore_asgi.app import Application, EnvironmentApp, create_app
from agcore_asgi.connection import ResponseAborted

app: Final = EnvironmentApp()

__all__ = ["Application", "ResponseAborted", "app", "create_app"]
