#!/usr/bin/env python3
"""Two processes of one thread against one process of two, in tokens per second.

  ranks_speed.py [--case NAME] [--rounds N] [--steps N] [--folder FOLDER] [KEY=VALUE ..]

Trains the quickstart's task (SmolLM2, two objectives, 32 new tokens) for a few
steps, alternately with one process and with two, and prints for every case

  the medians, their ratio, and the least that it should be;
  the bytes of gradients that rank 0 sends in a step, the seconds of these sums,
  and their share of the step.

Cases: LoRA at 24 and 64 answers in a step, full copies at 64. The first step of
every run is left out. Close other programs: two cores are in use. Needs Python,
the built program and models/. Exit code 1 if a ratio is missed.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MOFT = ROOT / "build/release/bin/moft"

# Settings, and the least ratio.
CASES = {
    "lora-24": (["training.prompts_per_step=6"], 0.85),
    "lora-64": (["training.prompts_per_step=16"], 0.9),
    "full-64": (
        [
            "training.prompts_per_step=16",
            "conditioning={steered_set: full}",
            "training.weighting_per=batch",
            "training.optimizer.learning_rate=1e-6",
        ],
        0.7,
    ),
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def train(settings, output, ranks):
    """The metrics of every step, of `ranks` processes with 2 threads in all."""
    shutil.rmtree(output, ignore_errors=True)
    command = [MOFT, "train", ROOT / "recipes/quickstart.yaml", f"output={output}"]
    command += settings + [f"threads={2 // ranks}"]
    port = free_port()
    processes = []
    for rank in range(ranks):
        variables = dict(os.environ)
        if ranks > 1:
            variables |= {
                "RANK": str(rank),
                "WORLD_SIZE": str(ranks),
                "LOCAL_RANK": str(rank),
                "LOCAL_WORLD_SIZE": str(ranks),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            }
        processes.append(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=variables,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        for process in processes:
            _, errors = process.communicate()
            if process.returncode != 0:
                sys.exit(errors)
    finally:
        for process in processes:
            process.kill()
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def measure(name, arguments):
    settings, least = CASES[name]
    settings = settings + arguments.settings
    settings += [f"training.steps={arguments.steps}", "training.checkpoint.every=null"]
    steps = {1: [], 2: []}
    for _ in range(arguments.rounds):
        for ranks in steps:
            metrics = train(settings, arguments.folder / f"{name}-{ranks}", ranks)
            steps[ranks] += metrics[1:]

    def median(ranks, key):
        return statistics.median(step[key] for step in steps[ranks])

    ratio = median(2, "tokens_per_second") / median(1, "tokens_per_second")
    share = median(2, "ranks/sum_time") / median(2, "step_time")
    print(
        f"{name:<8} {median(1, 'tokens_per_second'):7.1f} tokens/s alone, "
        f"{median(2, 'tokens_per_second'):7.1f} as two: {ratio:.3f} "
        f"({'ok' if ratio >= least else 'MISS'}, at least {least}); "
        f"{median(2, 'ranks/sum_bytes') / 1e6:.2f} MB in "
        f"{1e3 * median(2, 'ranks/sum_time'):.1f} ms, {100 * share:.1f}% of a step; "
        f"{1e3 * median(2, 'ranks/wait'):.0f} ms waited",
        flush=True,
    )
    return ratio >= least


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "runs/ranks-speed")
    parser.add_argument("settings", nargs="*", help="more keys to set, as key=value")
    arguments = parser.parse_args()
    arguments.folder = arguments.folder.resolve()
    good = [measure(name, arguments) for name in arguments.case or CASES]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
