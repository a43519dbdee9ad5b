#!/usr/bin/env python3
"""Runs the reward functions that the packages trl and verl bring, unchanged.

    pip install --no-deps trl verl
    python3 scripts/check_reward_functions.py

calls them as a recipe's `python` objectives do, with moft's host of Python
functions, and compares their rewards with what their documentation says. A
package that is not installed is skipped, visibly; of verl the files are used,
which need no ray. Exit code 1 when a reward differs, 77 when all is skipped.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOST = ROOT / "moft/rewards/outside/reward_host.py"

THOUGHT = "<think>\nTwo and two.\n</think>\nFour."
OVERLONG = """from trl.rewards import get_soft_overlong_punishment

soft = get_soft_overlong_punishment(max_completion_len=10, soft_punish_cache=5)
"""

# Package, what to call, fields of the data, completions, ids, rewards.
CASES = [
    ("trl", {"module": "trl.rewards", "function": "think_format_reward",
             "chat": True},
     {}, [THOUGHT, "Four."], None, [1.0, 0.0]),
    # 0 up to 5 tokens, -1 above 10, linear between.
    ("trl", {"code": OVERLONG, "function": "soft"},
     {}, ["a", "b", "c"], [[1] * 5, [1] * 8, [1] * 11], [0.0, -0.6, -1.0]),
    ("verl", {"file": "utils/reward_score/gsm8k.py",
              "function": "compute_score"},
     {"ground_truth": "72", "data_source": "openai/gsm8k"},
     ["so #### 72", "so #### 71", "so 72"], None, [1.0, 0.0, 0.0]),
    ("verl", {"file": "utils/reward_score/math_dapo.py",
              "function": "compute_score"},
     {"reward_model": {"ground_truth": "34", "style": "rule"}},
     ["Answer: 34", "Answer: 35"], None, [1.0, -1.0]),
    ("verl", {"file": "utils/reward_score/math_dapo.py",
              "function": "compute_score", "key": "acc"},
     {"reward_model": {"ground_truth": "34", "style": "rule"}},
     ["Answer: 34", "Answer: 35"], None, [1.0, 0.0]),
    ("verl", {"file": "utils/reward_score/math_reward.py",
              "function": "compute_score"},
     {"reward_model": {"ground_truth": "\\frac{1}{2}"}},
     ["it is \\boxed{\\frac12}", "it is \\boxed{2}"], None, [1.0, 0.0]),
]  # fmt: skip


def ask(about, columns, completions, ids):
    rows = len(completions)
    request = {
        "id": 1,
        "prompts": ["What is it?"] * rows,
        "completions": completions,
        "columns": {name: [value] * rows for name, value in columns.items()},
    }
    if ids:
        request["completion_ids"] = ids
    done = subprocess.run(
        [sys.executable, HOST, json.dumps({"made": about})],
        input=json.dumps(request) + "\n",
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    scratch = tempfile.TemporaryDirectory()
    failed = done = 0
    for package, about, columns, completions, ids, expected in CASES:
        about = dict(about)
        where = about.get("file") or about.get("module", "trl.rewards")
        name = f"{package}: {where} {about['function']} {about.get('key', '')}"
        found = importlib.util.find_spec(package)
        if found is None:
            print(f"skipped {name}: {package} is not installed")
            continue
        if "file" in about:
            about["file"] = str(Path(found.origin).parent / about["file"])
        if "code" in about:
            file = Path(scratch.name) / "rewards.py"
            file.write_text(about.pop("code"))
            about["file"] = str(file)
        reply = ask(about, columns, completions, ids)
        rewards = reply.get("rewards", {}).get("made")
        good = rewards is not None and all(
            abs(a - b) < 1e-9 for a, b in zip(rewards, expected, strict=True)
        )
        done += 1
        failed += not good
        print(f"{'ok     ' if good else 'FAILED '} {name}: {rewards or reply}")
    return 1 if failed else 0 if done else 77


if __name__ == "__main__":
    sys.exit(main())
