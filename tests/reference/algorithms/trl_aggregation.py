"""Several rewards to advantages as TRL 1.16.0's GRPOTrainer does it, for
tests/algorithms/aggregation_test.cpp.

Run with torch and trl==1.16.0 on the path (pip install --no-deps trl==1.16.0 is
enough): python trl_aggregation.py > trl_aggregation.json
The statements between "if self.multi_objective_aggregation" and the NaN
handling are cut out of the installed trainer and run here in double; nothing of
TRL is copied. Rewards are small fractions, so that C++ forms the same doubles.
"""
import ast
import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import types

import torch

assert importlib.metadata.version("trl") == "1.16.0", "install trl==1.16.0"
torch.set_default_dtype(torch.float64)
folder = pathlib.Path(importlib.util.find_spec("trl").origin).parent / "trainer"


def tree_of(name):
    return ast.parse((folder / name).read_text())


def run(nodes, names):
    exec(compile(ast.Module(nodes, []), "trl", "exec"), names)
    return names


nanstd = next(n for n in tree_of("utils.py").body
              if isinstance(n, ast.FunctionDef) and n.name == "nanstd")
aggregation = next(
    n for n in ast.walk(tree_of("grpo_trainer.py"))
    if isinstance(n, ast.If) and "self.multi_objective_aggregation ==" in
    ast.unparse(n.test) and "sum_then_normalize" in ast.unparse(n.test))


def advantages(rewards, size, weights, kind, scale="group"):
    owner = types.SimpleNamespace(
        multi_objective_aggregation=kind, scale_rewards=scale,
        reward_weights=torch.tensor(weights),
        reward_funcs=[None] * len(weights))
    rewards = torch.tensor(rewards)
    return run([nanstd, aggregation], dict(
        torch=torch, self=owner, rewards_per_func=rewards, device="cpu",
        num_generations=size,
        unscorable_mask=torch.isnan(rewards).all(dim=1)))


def fractions(rows, columns, salt):
    return [[((r * 7919 + k * 613 + salt * 104729) % 257 - 80) / 64 * 4 ** k
             for k in range(columns)] for r in range(rows)]


def case(rows, size, weights, salt, change=None):
    rewards = fractions(rows, len(weights), salt)
    if change:
        change(rewards)
    result = advantages(rewards, size, weights, "normalize_then_sum")
    found = dict(
        num_generations=size, rewards=rewards, reward_weights=weights,
        reward_k=result["reward_k"].tolist(),
        normalize_then_sum=result["advantages"].tolist())
    for scale in ("group", "batch", "none"):
        found["sum_then_normalize_" + scale] = advantages(
            rewards, size, weights, "sum_then_normalize", scale
        )["advantages"].tolist()
    return found


def tie_the_first_group(rewards):
    for row in rewards[:4]:
        row[0] = 0.5


json.dump({
    "two_objectives": case(12, 4, [0.25, 0.75], 1),
    "three_objectives": case(12, 3, [1.0, 0.5, 2.0], 2),
    "pairs": case(8, 2, [0.5, 0.5], 3),
    "tied": case(8, 4, [0.5, 0.5], 4, tie_the_first_group),
}, sys.stdout, indent=1)
print()
