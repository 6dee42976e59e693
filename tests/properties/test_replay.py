"""Exchanges at random, side by side, each replayed by itself in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.recorded import crowd, effects_text

ROOT = Path(__file__).parents[2]


def test_each_of_200_exchanges_side_by_side_is_replayed_by_itself_in_a_fresh_process(tmp_path: Path) -> None:
    run = crowd(seed=7, count=200)
    for number, (recorder, _, _) in enumerate(run):
        (tmp_path / f"{number}.jsonl").write_bytes(recorder.text)
    command = [sys.executable, "-m", "tests.support.recorded", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "1"})
    for number, (_, _, effects) in enumerate(run):
        assert (tmp_path / f"{number}.effects").read_bytes() == effects_text(effects)
    outcomes = {effects[-2].event.outcome for _, _, effects in run}  # type: ignore[union-attr]
    assert outcomes >= {"ok", "error", "abandoned"}, "there is something to see"
