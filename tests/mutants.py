"""Mutants: rules of the core broken by hand, one at a time, each of which some test must notice: `make mutants`.

A mutant is a line of the core with other words, and the tests that the manifest names for its rule. It is applied to a
copy of the tree. One whose words are not found any more is an error: the line has changed, and so must its mutant.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from tests.requirements import REQUIREMENTS

ROOT: Final = Path(__file__).parents[1]


class Mutant(msgspec.Struct, frozen=True):
    """A rule that is broken."""

    rule: str
    """The id of the requirement whose tests must fail."""
    file: str
    old: str
    new: str


MUTANTS: Final = (
    Mutant(
        "selection.shorter-refusal",
        "agcore/state/cooldowns.py",
        "limits = failure not in TRANSIENT and not refused",
        "limits = failure not in TRANSIENT",
    ),
    Mutant(
        "selection.success",
        "agcore/state/cooldowns.py",
        "if cooldown is not None and cooldown.since <= began:",
        "if cooldown is not None:",
    ),
    Mutant(
        "selection.together",
        "agcore/state/cooldowns.py",
        "old.failures + (began >= old.since)",
        "old.failures + 1",
    ),
    Mutant(
        "selection.probe",
        "agcore/state/cooldowns.py",
        "                cooldown.probe_at = now + PROBE\n",
        "                pass\n",
    ),
    Mutant(
        "call.pause",
        "agcore/machines/call_context.py",
        " and until < self.first_content_by",
        "",
    ),
    Mutant(
        "call.prose",
        "agcore/machines/call_faults.py",
        "if kind is FailureKind.INVALID_REQUEST:",
        "if False:",
    ),
    Mutant(
        "fan-out.same-step",
        "agcore/operations/fan_out.py",
        "each.step >= candidate.step",
        "each.step > candidate.step",
    ),
    Mutant(
        "fan-out.given-back",
        "agcore/operations/forward.py",
        "            self._fan_out.release()\n",
        "            pass\n",
    ),
    Mutant(
        "fan-out.ids",
        "agcore/conversion/choices.py",
        "if delta.id in self._call_ids:",
        "if False:",
    ),
    Mutant(
        "secrets.last-event",
        "agcore/operations/forward.py",
        "call.scrubbed(output.data) if output.terminal else output.data",
        "output.data",
    ),
    Mutant(
        "manners.S3",
        "agcore/routing/conversation_key.py",
        "_conversation(named, members) or [*_session(named, members), *_begun(members)]",
        "_session(named, members) or _begun(members)",
    ),
    Mutant(
        "manners.S1",
        "agcore/operations/remember.py",
        "if target.provider.name == pin.provider), None)",
        "), None)",
    ),
    Mutant(
        "manners.S6", "agcore/machines/exchange.py", "tokens, asked = 0, self._calls.asked", "tokens, asked = 0, True"
    ),
    Mutant("manners.G4", "agcore/dialects/base.py", 'part in ("", ".", "..") for part', 'part == "" for part'),
    Mutant(
        "manners.N2",
        "agcore/machines/client_response.py",
        'fields.append((b"x-agcore-request-id", id))',
        "pass",
    ),
    Mutant(
        "manners.T2",
        "agcore/dialects/openai_chat/message_order.py",
        'upstream.late_system != "in_place"',
        "False",
    ),
    Mutant(
        "manners.T18",
        "agcore/dialects/gemini/contents_writer.py",
        "if not _RESOLVED.isdisjoint(each):",
        "if not _RESOLVED.isdisjoint(each) and each is value:",
    ),
    Mutant(
        "manners.T20",
        "agcore/dialects/openai_chat/call_ids.py",
        'upstream.call_ids == "any" or',
        "True or",
    ),
    Mutant(
        "manners.G6",
        "agcore/dialects/openai_chat/whole_answer.py",
        "return None if answers else no_answer(answer)",
        "return None",
    ),
    Mutant(
        "manners.N10.passing",
        "agcore/protocol/fault.py",
        "return fault.status in _MAY_PASS if fault.status < 500 else fault.status not in _STAYS",
        "return fault.status in _MAY_PASS if fault.status < 500 else fault.status == 500",
    ),
)


def survives(mutant: Mutant, folder: Path) -> bool:
    """Apply a mutant in a copy of the tree below `folder`, run its tests, and put the line back."""
    (tests,) = (each.tests for each in REQUIREMENTS if each.id == mutant.rule)
    file = folder / mutant.file
    text = file.read_text("utf-8")
    if text.count(mutant.old) != 1:
        sys.exit(f"{mutant.rule}: {mutant.file} has {mutant.old!r} {text.count(mutant.old)} times")
    file.write_text(text.replace(mutant.old, mutant.new), "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *(f"tests/{test}" for test in tests),
    ]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    file.write_text(text, "utf-8")
    if done.returncode not in (0, 1):
        sys.exit(f"{mutant.rule}: its tests did not run\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def main() -> int:
    """Run all mutants, or those whose rules are named; say of each whether it was noticed. 1 where one was not."""
    chosen = [mutant for mutant in MUTANTS if mutant.rule in (sys.argv[1:] or [mutant.rule])]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        for name in ("agcore", "tests", "docs", "frontends"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)
        survivors = []
        for mutant in chosen:
            alive = survives(mutant, folder)
            survivors += [mutant] * alive
            print(f"{'SURVIVED' if alive else 'noticed '}  {mutant.rule}: {mutant.old!r} -> {mutant.new!r}", flush=True)
    print(f"{len(chosen) - len(survivors)} noticed, {len(survivors)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
