#!/usr/bin/env python3
"""What docs/scale.md compares `moft plan` with.

  plan_against_measured.py --moft build/release/bin/moft RECIPE [KEY=VALUE ..]
      [--steps 4] [--objectives 2] [--work DIR]

Trains some steps of RECIPE, reads the time of each but the first from
metrics.jsonl and the largest resident memory of the process from the system,
then plans the same recipe with the mean answer length of those steps. Prints
one row of a Markdown table: predicted, measured and their ratio. With
--objectives 4 two more rewards, of length and of a letter, are added.

Needs an idle machine: both commands use all cores that `threads` gives them.
No test runs it.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MORE = [
    "objectives.short={length: {unit: words, full_at: 4, zero_at: 20}}",
    "objectives.letter={regex: {pattern: a}}",
]


def run(words, log):
    with open(log, "w", encoding="utf-8") as out:
        done = subprocess.run(words, stdout=out, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: failed; see {log}")


def train(moft, recipe, keys, steps, folder):
    output = folder / "run"
    run([moft, "train", recipe, *keys, f"training.steps={steps}",
         "training.checkpoint.every=null", "training.log_samples=0",
         "--output", str(output)], folder / "train.log")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    rows = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    later = [json.loads(row) for row in rows][1:]
    shutil.rmtree(output)

    def mean(key):
        return sum(row[key] for row in later) / len(later)

    return mean("step_time"), mean("completions/mean_length"), peak


def plan(moft, recipe, keys, length, folder):
    done = subprocess.run(
        [moft, "plan", recipe, *keys, "--mean-length", f"{length:.3f}",
         "--json"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
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
    parser.add_argument("--work", type=Path)
    flags = parser.parse_args()
    folder = flags.work or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    keys = flags.keys + (MORE if flags.objectives == 4 else [])
    seconds, length, peak = train(flags.moft, flags.recipe, keys, flags.steps,
                                  folder)
    found = plan(flags.moft, flags.recipe, keys, length, folder)
    predicted = found["step"]["seconds"]["total"]
    resident = found["memory"]["resident"]
    print(f"| {flags.objectives} | {' '.join(flags.keys)} | {length:.1f} "
          f"| {predicted:.2f} | {seconds:.2f} | {predicted / seconds:.2f} "
          f"| {resident / 1e9:.2f} | {peak / 1e9:.2f} "
          f"| {resident / peak:.2f} |")


if __name__ == "__main__":
    main()
