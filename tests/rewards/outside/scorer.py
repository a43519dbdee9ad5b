#!/usr/bin/env python3
"""A program that is asked in lines: scorer.py FAULT OBJECTIVE..

It answers the length of each completion, and with a fault something else."""

import json
import os
import subprocess
import sys
import time

fault, names = sys.argv[1], sys.argv[2:]
if fault == "greets":
    print(json.dumps({"moft_reward": 1}), flush=True)
if fault == "future":
    print(json.dumps({"moft_reward": 99}), flush=True)
if fault == "grandchild":
    child = subprocess.Popen(["sleep", "1000"])
    print(f"grandchild {child.pid}", file=sys.stderr, flush=True)
for line in sys.stdin:
    call = json.loads(line)
    if fault == "garbage":
        print("Loading model ..", flush=True)
        continue
    if fault == "exits":
        print("out of memory", file=sys.stderr, flush=True)
        sys.exit(7)
    if fault == "stalls":
        time.sleep(1000)
    if fault == "other":
        call["id"] += 1
    if fault == "closes":
        os.close(1)
        time.sleep(1000)
    values = [float(len(c)) for c in call["completions"]]
    if fault == "large":
        values[0] = list(range(3_000_000))
    reply = {"id": call["id"], "rewards": {name: values for name in names}}
    if fault == "error":
        reply = {"id": call["id"], "error": "it broke", "row": 1}
    print(json.dumps(reply), flush=True)
