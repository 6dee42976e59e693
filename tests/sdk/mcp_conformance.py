"""Runs the protocol's official conformance suite against the vision server, through each frontend.

`make mcp-conformance` installs the suite into a folder and calls this with it:

    python -m tests.sdk.mcp_conformance FOLDER

A scenario that fails though `mcp_conformance.yml` does not list it, or passes though it does, is a failure.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.servers import trio_server, uvicorn_server

CONFIG = """
[[providers]]
name = "eyes"
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
keys = ["sk-nobody-is-asked"]
[mcp.zai-mcp-server]
builtin = "vision"
model = "eyes/glm-4.6v"
"""
EXPECTED = Path(__file__).with_suffix(".yml")
SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"


def main(folder: Path) -> int:
    """The number of frontends that fail."""
    failed = 0
    for server in (trio_server, uvicorn_server):
        with server(CONFIG) as url:
            command = [str(folder / "node_modules/.bin/node"), str(folder / SUITE), "server", "--suite", "all"]
            command += ["--url", f"{url}/mcp/zai-mcp-server/mcp", "--expected-failures", str(EXPECTED)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=300, check=False, cwd=folder)
        print(f"{server.__name__}: {'passed' if done.returncode == 0 else 'FAILED'}", flush=True)
        failed += done.returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
