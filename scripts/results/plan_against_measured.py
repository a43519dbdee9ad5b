#!/usr/bin/env python3
"""What docs/scale.md compares `moft plan` with.

  plan_against_measured.py --moft build/release/bin/moft RECIPE [KEY=VALUE ..]
      [--steps 4] [--objectives 2] [--ranks 1] [--work DIR]

Trains some steps of RECIPE, reads the time of each but the first from
metrics.jsonl and the largest resident memory of each process from the system,
then plans the same recipe with the mean answer length of those steps. Prints
one row of a Markdown table: predicted, measured and their ratio. With
--objectives 4 two more rewards, of length and of a letter, are added. With
--ranks 2 two processes train together, and the memory is the larger of theirs.

Needs an idle machine: all commands use all cores that `threads` gives them
(one for each rank, two for one process). No test runs it.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

MORE = [
    "objectives.short={length: {unit: words, full_at: 4, zero_at: 20}}",
    "objectives.letter={regex: {pattern: a}}",
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def launch(words, ranks, folder):
    """Runs one process or several that join; the largest memory of one."""
    port = free_port()
    logs, processes = [], []
    for rank in range(ranks):
        logs.append(folder / f"train-{rank}.log")
        together = {
            "RANK": str(rank), "WORLD_SIZE": str(ranks),
            "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(ranks),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
        } if ranks > 1 else {}
        with open(logs[rank], "w", encoding="utf-8") as out:
            processes.append(subprocess.Popen(
                words, stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env=os.environ | together))
    peak = 0
    for process, log in zip(processes, logs):
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            sys.exit(f"{' '.join(map(str, words))}: failed; see {log}")
        peak = max(peak, usage.ru_maxrss * 1024)
    return peak


def train(moft, recipe, keys, steps, ranks, folder):
    output = folder / "run"
    peak = launch([moft, "train", recipe, *keys, f"training.steps={steps}",
                   "training.checkpoint.every=null", "training.log_samples=0",
                   "--output", str(output)], ranks, folder)
    rows = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    later = [json.loads(row) for row in rows][1:]
    shutil.rmtree(output)

    def mean(key):
        return sum(row[key] for row in later) / len(later)

    return mean("step_time"), mean("completions/mean_length"), peak


def plan(moft, recipe, keys, length, ranks, folder):
    done = subprocess.run(
        [moft, "plan", recipe, *keys, "--mean-length", f"{length:.3f}",
         "--ranks", str(ranks), "--json"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        stderr=open(folder / "plan.log", "w", encoding="utf-8"), check=False)
    if done.returncode != 0:
        sys.exit(f"moft plan failed; see {folder / 'plan.log'}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moft", default="build/release/bin/moft")
    parser.add_argument("recipe")
    parser.add_argument("keys", nargs="*")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--objectives", type=int, choices=(2, 4), default=2)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--work", type=Path)
    flags = parser.parse_args()
    folder = flags.work or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    keys = flags.keys + (MORE if flags.objectives == 4 else [])
    keys = keys + [f"threads={max(1, 2 // flags.ranks)}"]
    seconds, length, peak = train(flags.moft, flags.recipe, keys, flags.steps,
                                  flags.ranks, folder)
    found = plan(flags.moft, flags.recipe, keys, length, flags.ranks, folder)
    predicted = found["step"]["seconds"]["total"]
    resident = found["memory"]["resident"]
    print(f"| {flags.ranks} | {flags.objectives} | {' '.join(flags.keys)} "
          f"| {length:.1f} | {predicted:.2f} | {seconds:.2f} "
          f"| {predicted / seconds:.2f} "
          f"| {resident / 1e9:.2f} | {peak / 1e9:.2f} "
          f"| {resident / peak:.2f} |")


if __name__ == "__main__":
    main()
