#!/usr/bin/env python3
"""Trains the quickstart's task with every algorithm and compares them.

  compare_algorithms.py run [FOLDER]     trains and evaluates what is missing
  compare_algorithms.py time [FOLDER]    times steps, the algorithms in turn
  compare_algorithms.py table [FOLDER]   prints the tables of what is there

FOLDER is runs/algorithms by default. `run` may be stopped and started again: it
continues from the newest checkpoint, and leaves finished runs alone. Run it in the
background: on two cores it takes an hour or more. `time` needs an idle machine.
docs/results/algorithms.md has the protocol. Needs Python and the built program.
"""

import argparse
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MOFT = ROOT / "build/release/bin/moft"
SEEDS = (1, 2, 3)
STEPS = 45
WINDOWS = 3
TIMED_ROUNDS = 3
TIMED_STEPS = 4
T_OF_THREE = 4.303  # 97.5% quantile of Student's t, 2 degrees of freedom

ALGORITHMS = {
    "REINFORCE": ["training.baseline=batch_mean"],
    "RLOO": ["training.baseline=leave_one_out"],
    "GRPO": [
        "training.algorithm=grpo",
        "training.baseline=group_mean",
        "training.advantage_normalisation=group",
        "training.kl_estimator=token_k3",
    ],
    "PPO": ["training.algorithm=ppo", "training.value.warmup_steps=5"],
    "online DPO": ["training.algorithm=online_dpo"],
}


def folder_of(folder, name, seed):
    return folder / f"{name.lower().replace(' ', '-')}-{seed}"


def train(run, seed, steps, settings):
    command = [
        MOFT, "train", ROOT / "recipes/quickstart.yaml", "--resume", "auto",
        f"output={run}", f"training.seed={seed}", f"training.steps={steps}",
    ]
    subprocess.run(command + settings, cwd=ROOT, check=True)


def time_all(folder):
    """Seconds of a step: the median of the steps after the first of each round."""
    seconds = {name: [] for name in ALGORITHMS}
    for part in range(TIMED_ROUNDS):
        for name, settings in ALGORITHMS.items():
            run = folder_of(folder, f"timed {name}", part)
            shutil.rmtree(run, ignore_errors=True)
            train(run, 1, TIMED_STEPS, settings + ["training.value.warmup_steps=0"])
            seconds[name] += [line["step_time"] for line in lines_of(run)[1:]]
    medians = {name: statistics.median(all) for name, all in seconds.items()}
    (folder / "seconds.json").write_text(json.dumps(medians, indent=2), "utf-8")


def run_all(folder):
    for seed in SEEDS:
        for name, settings in ALGORITHMS.items():
            run = folder_of(folder, name, seed)
            if (run / "report/report.json").exists():
                continue
            print(f"{name}, seed {seed}", flush=True)
            train(run, seed, STEPS, settings)
            evaluate = [MOFT, "evaluate", run, "--split", "final", "--weightings", "5"]
            subprocess.run(evaluate, cwd=ROOT, check=True)


def lines_of(run):
    path = run / "metrics.jsonl"
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as lines:
        steps = [json.loads(line) for line in lines]
    return [step for step in steps if "reward" in step and "step_time" in step]


def mean(values):
    return sum(values) / len(values)


def interval(values):
    """Mean and the half width of its 95% interval over seeds."""
    if len(values) < len(SEEDS):
        return f"({len(values)} of {len(SEEDS)} seeds)"
    middle = mean(values)
    spread = math.sqrt(sum((v - middle) ** 2 for v in values) / (len(values) - 1))
    return f"{middle:.3f} ± {T_OF_THREE * spread / math.sqrt(len(values)):.3f}"


def windows_of(lines):
    size = STEPS // WINDOWS
    return [
        mean([line["reward"] for line in lines[i * size : (i + 1) * size]])
        for i in range(WINDOWS)
    ]


def at_seconds(lines, seconds, per_step):
    """Mean value of the five steps before the clock reaches `seconds`."""
    done = min(len(lines), max(1, int(seconds / per_step)))
    return mean([line["reward"] for line in lines[:done][-5:]])


def finished(folder):
    runs = {}
    for name in ALGORITHMS:
        for seed in SEEDS:
            run = folder_of(folder, name, seed)
            lines = lines_of(run)
            if len(lines) == STEPS and (run / "report/report.json").exists():
                runs[name, seed] = (run, lines)
    return runs


def print_table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join("---" for _ in header) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def print_tables(folder):
    runs = finished(folder)

    def of(name, figure):
        return [
            figure(*runs[name, seed]) for seed in SEEDS if (name, seed) in runs
        ]

    def less_rloo(name, figure):
        both = [
            figure(*runs[name, seed]) - figure(*runs["RLOO", seed])
            for seed in SEEDS
            if (name, seed) in runs and ("RLOO", seed) in runs
        ]
        return "" if name == "RLOO" else interval(both)

    rows = []
    for name in ALGORITHMS:
        row = [name]
        for i in range(WINDOWS):
            row.append(interval(of(name, lambda _, lines: windows_of(lines)[i])))
        last = lambda _, lines: windows_of(lines)[-1]
        rows.append(row + [less_rloo(name, last)])
    print("Value of the sampled answers, by answers")
    size = STEPS // WINDOWS
    print_table(
        ["algorithm"]
        + [f"steps {i * size + 1} to {(i + 1) * size}" for i in range(WINDOWS)]
        + ["the last less RLOO's"],
        rows,
    )

    def value_of(run, _):
        report = json.loads((run / "report/report.json").read_text("utf-8"))
        return mean([point["value"]["mean"] for point in report["points"]])

    rows = [
        [name, interval(of(name, value_of)), less_rloo(name, value_of)]
        for name in ALGORITHMS
    ]
    print("Value on the final posts, mean over five weightings")
    print_table(["algorithm", "value", "less RLOO's"], rows)

    timed = folder / "seconds.json"
    if not timed.exists():
        print("No seconds: run `compare_algorithms.py time` on an idle machine")
        return
    seconds = json.loads(timed.read_text("utf-8"))
    marks = [round(seconds["RLOO"] * STEPS * share) for share in (1 / 3, 2 / 3, 1)]
    rows = [
        [name, f"{seconds[name]:.2f}"] + [
            interval(of(name, lambda _, lines: at_seconds(lines, mark, seconds[name])))
            for mark in marks
        ]
        for name in ALGORITHMS
    ]
    print("Value of the sampled answers, by seconds")
    print_table(["algorithm", "seconds of a step"] + [f"{m} s" for m in marks], rows)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "time", "table"])
    parser.add_argument("folder", nargs="?", default=ROOT / "runs/algorithms")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.folder).resolve()
    if arguments.what != "table" and not MOFT.exists():
        sys.exit(f"{MOFT} is not there; run scripts/quickstart first")
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.what == "run":
        run_all(folder)
    if arguments.what == "time":
        time_all(folder)
    print_tables(folder)


main()
