"""The wheel holds the import packages and nothing else that would reach anyone's site-packages."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "agcore": ROOT / "agcore",
    "agcore_host": ROOT / "frontends" / "host" / "agcore_host",
    "agcore_trio": ROOT / "frontends" / "trio_server" / "agcore_trio",
    "agcore_asgi": ROOT / "frontends" / "asgi" / "agcore_asgi",
    "agcore_cli": ROOT / "frontends" / "cli" / "agcore_cli",
    "agcore_httpx": ROOT / "frontends" / "inprocess" / "agcore_httpx",
    "agcore_sim": ROOT / "frontends" / "sim" / "agcore_sim",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_every_source_file_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    expected = {
        str(Path(package) / path.relative_to(folder))
        for package, folder in SOURCES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected


def test_the_wheel_is_typed_and_brings_the_command(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {f"{package}/py.typed" for package in SOURCES} <= set(names)
    (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
    assert "agcore = agcore_cli.main:main" in wheel.read(entry_points).decode()
    assert any(name.endswith("LICENSE") for name in names)


def test_the_default_install_stays_small(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    lines = wheel.read(metadata).decode().splitlines()
    needed = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    default = {name.split(">")[0].split(";")[0].strip() for name in needed if "extra ==" not in name}
    assert default == {"attrs", "backports-zstd", "certifi", "h11", "msgspec", "multipart", "trio"}
