"""What does agcore add to a request, next to the least that a relay on trio and h11 can do?

Starts a zero-delay upstream, the bare relay and `agcore serve` (strict auth with ten keys of which the last is shown,
access log on), and loads the three in turn, round after round: direct, bare, agcore, direct, bare, ... Latency *added*
is a round's p50 less the direct call's p50 of the same round. The ratios agcore/bare are taken within each round too,
so that a noisy neighbour, who slows all three, cancels out; shown are their median and their range.

    python benchmarks/relay.py [--rounds 7] [--seconds 1] [--connections 1,32] [--only direct,bare,agcore] [--json FILE]
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TypeAlias

from processes import (
    CLIENT_KEYS,
    HERE,
    agcore_command,
    environment,
    exit_on_sigterm,
    machine,
    machine_line,
    server,
    write_config,
)
from wire import SAID, TARGET, request

TARGETS: Final = ("direct", "bare", "agcore")
KEY: Final = CLIENT_KEYS[-1]

Seen: TypeAlias = dict[str, float]
"""What `load.py` prints."""
Rounds: TypeAlias = Mapping[str, Sequence[Seen]]
"""By target, one entry a round."""


def check(name: str, port: int) -> None:
    """Makes one request and raises SystemExit unless the upstream's answer comes back."""
    body = request("127.0.0.1", port, KEY).partition(b"\r\n\r\n")[2]
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", TARGET, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status != 200 or not json.loads(said)["choices"][0]["message"]["content"].startswith(SAID):
        raise SystemExit(f"{name} did not pass on the upstream's answer: {answer.status} {said!r}")


def check_log(log: Path, requests: int) -> None:
    """Says so when the access log has fewer rows than requests were counted: rows dropped cost nothing to write."""
    with log.open("rb") as lines:
        rows = sum(1 for _ in lines)
    print(f"\nagcore's access log: {rows} rows for {requests} requests counted and those of the warm-up")
    if rows < requests:
        print("rows are missing: this run does not show all that the log costs", file=sys.stderr)


def load(port: int, connections: int, seconds: float) -> Seen:
    """Runs the load generator once, in its own process."""
    command = [sys.executable, str(HERE / "load.py"), str(port), "--key", KEY]
    command += ["--connections", str(connections), "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, env=environment(), timeout=seconds + 60, check=False)
    if done.returncode:
        raise SystemExit(f"the load generator failed:\n{done.stderr.decode(errors='replace')[-4000:]}")
    seen: Seen = json.loads(done.stdout)
    return seen


def median(rounds: Sequence[Seen], field: str) -> float:
    return statistics.median(seen[field] for seen in rounds)


def added(rounds: Rounds, target: str) -> list[float]:
    """Returns the p50 that `target` adds to the direct call, round by round, in seconds."""
    return [seen["p50"] - direct["p50"] for seen, direct in zip(rounds[target], rounds["direct"], strict=True)]


def ratios(rounds: Rounds) -> dict[str, list[float]]:
    """Returns agcore over bare, round by round: added p50 and rate. Rounds in which bare added nothing are left out."""
    found: dict[str, list[float]] = {}
    if "agcore" in rounds and "bare" in rounds:
        if "direct" in rounds:
            latencies = zip(added(rounds, "agcore"), added(rounds, "bare"), strict=True)
            found["added p50"] = [ours / theirs for ours, theirs in latencies if theirs > 0]
        pairs = zip(rounds["agcore"], rounds["bare"], strict=True)
        found["rate"] = [ours["rate"] / theirs["rate"] for ours, theirs in pairs]
    return found


def report(connections: int, rounds: Rounds) -> None:
    """Prints the table for one number of connections."""
    count = len(next(iter(rounds.values())))
    print(f"\n{connections} connection{'s' if connections > 1 else ''}, medians of {count} rounds")
    print(f"{'':<8}{'p50 ms':>10}{'(range)':>18}{'p99 ms':>10}{'added p50 ms':>15}{'rate /s':>10}")
    for target, seen in rounds.items():
        extra = ""
        if target != "direct" and "direct" in rounds:
            extra = f"{statistics.median(added(rounds, target)) * 1e3:.3f}"
        p50s = [one["p50"] * 1e3 for one in seen]
        span = f"({min(p50s):.3f} to {max(p50s):.3f})"
        p99, rate = median(seen, "p99") * 1e3, median(seen, "rate")
        print(f"{target:<8}{statistics.median(p50s):>10.3f}{span:>18}{p99:>10.3f}{extra:>15}{rate:>10.0f}")
    for name, values in ratios(rounds).items():
        if values:
            print(f"{name}, agcore/bare: {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def targets(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(TARGETS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return [name for name in TARGETS if name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="per target and round")
    parser.add_argument("--connections", type=numbers, default=[1, 32], help="numbers, with commas")
    parser.add_argument("--only", type=targets, default=list(TARGETS), help="of direct,bare,agcore")
    parser.add_argument("--json", type=Path, help="write every round's numbers to this file")
    options = parser.parse_args()
    exit_on_sigterm()

    results: dict[int, dict[str, list[Seen]]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agcore-bench-")))
        access_log = directory / "agcore.log"
        upstream = stack.enter_context(
            server([sys.executable, str(HERE / "upstream.py")], log=directory / "upstream.log")
        )
        ports = {"direct": upstream}
        if "bare" in options.only:
            bare = [sys.executable, str(HERE / "bare_relay.py"), str(upstream)]
            ports["bare"] = stack.enter_context(server(bare, log=directory / "bare.log"))
        if "agcore" in options.only:
            command = agcore_command(write_config(directory, upstream))
            ports["agcore"] = stack.enter_context(server(command, log=access_log))
        for target in options.only:
            check(target, ports[target])
        print(machine_line())
        for connections in options.connections:
            rounds: dict[str, list[Seen]] = {target: [] for target in options.only}
            for _ in range(options.rounds):
                for target in options.only:
                    rounds[target].append(load(ports[target], connections, options.seconds))
            report(connections, rounds)
            results[connections] = rounds
        if "agcore" in options.only:
            check_log(
                access_log, sum(int(seen["requests"]) for rounds in results.values() for seen in rounds["agcore"])
            )
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "connections": results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
