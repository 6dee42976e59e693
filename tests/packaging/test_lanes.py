"""The fast lane leaves out what it cannot run: tests of frontends that open sockets."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NO_SOCKETS = {"host", "sim"}
"""Frontends whose tests need none."""


def test_the_fast_lane_leaves_out_every_frontend_that_opens_sockets() -> None:
    (left_out,) = re.findall(r"^SLOW := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    frontends = {package.parent.name for package in (ROOT / "frontends").glob("*/agcore_*")}
    assert frontends - NO_SOCKETS <= set(left_out.split())


def test_the_fast_lane_leaves_out_folders_that_there_are() -> None:
    (left_out,) = re.findall(r"^SLOW := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in left_out.split() if not (ROOT / "tests" / name).is_dir()] == []
