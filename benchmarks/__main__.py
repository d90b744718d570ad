"""Run the benchmark; fail if a budget is missed by more than the noise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import (
    lookup,
    memory,
    policy,
    real_nova,
    refusals,
    report,
    splice,
    throughput,
    untouched,
    whole,
)

GROUPS = {
    "untouched": untouched.rows,
    "splice": splice.rows,
    "lookup": lookup.rows,
    "policy": policy.rows,
    "whole": whole.rows,
    "refusals": refusals.rows,
    "memory": memory.rows,
    "throughput": throughput.rows,
    # Last, because it changes the configuration of the process.
    "nova": real_nova.rows,
}

parser = argparse.ArgumentParser(
    prog="python -m benchmarks", description=__doc__
)
parser.add_argument(
    "groups",
    nargs="*",
    metavar="group",
    # argparse compares the default, too.
    choices=[*GROUPS, []],
    help=f"of {', '.join(GROUPS)}; all by default",
)
parser.add_argument(
    "--results",
    type=Path,
    help="directory for benchmark.json and benchmark.png, which are only "
    "written if all groups have run",
)
arguments = parser.parse_args()
rows: list[report.Row] = []
for group, measured in GROUPS.items():
    if not arguments.groups or group in arguments.groups:
        print(f"Measuring {group} ...", flush=True)
        rows += measured()
for line in report.lines(rows):
    print(line)
if arguments.results and not arguments.groups:
    report.write(rows, arguments.results)
sys.exit(any(row.verdict == "MISSED" for row in rows))
