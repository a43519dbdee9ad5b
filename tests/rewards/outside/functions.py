"""Reward functions in every signature that moft runs, and faulty ones.

Most answer len(completion) in a way that shows what else they were given."""

import asyncio
import functools
import os
import random
import sys
import time


# --- TRL ---------------------------------------------------------------------


def trl_sync(prompts, completions, **kwargs):
    print("printed by trl_sync")
    os.write(1, b"written to descriptor 1\n")
    return [len(p) + len(c) for p, c in zip(prompts, completions)]


async def trl_async(completions, post, **kwargs):
    await asyncio.sleep(0.01)
    return [len(c) / len(p) for c, p in zip(completions, post)]


def trl_none(completions, **kwargs):
    return [None if c == "bad" else 1.0 for c in completions]


def trl_columns(completions, score, tags, completion_ids, trainer_state, log_metric, **kwargs):
    """The columns as they are in the data, and what else TRL gives."""
    assert "prompt" not in kwargs and "completion" not in kwargs
    log_metric("seen", float(trainer_state.global_step))
    return [s + len(t) + len(ids) for s, t, ids in zip(score, tags, completion_ids)]


def trl_chat(prompts, completions, **kwargs):
    assert all(m[0]["role"] == "assistant" for m in completions)
    assert all(isinstance(p, list) and "content" in p[-1] for p in prompts)
    return [len(m[0]["content"]) + len(p[-1]["content"]) for m, p in zip(completions, prompts)]


def trl_roles(prompts, completions, **kwargs):
    assert all(m["content"] for p in prompts for m in p)
    return [float(len(p)) if p[0]["role"] == "system" else 0.0 for p in prompts]


class Callable:
    scale = 3

    async def __call__(self, completions, **kwargs):
        return [self.scale * len(c) for c in completions]


instance = Callable()
half = functools.partial(lambda completions, factor, **kwargs: [factor * len(c) for c in completions], factor=0.5)


class Tensor:
    """What arrays and tensors have in common."""

    def __init__(self, values):
        self.values = values

    def tolist(self):
        return self.values


def trl_tensor(completions, **kwargs):
    return Tensor([float(len(c)) for c in completions])


# --- OpenRLHF ----------------------------------------------------------------


def openrlhf(queries, prompts, labels, **kwargs):
    assert len(queries) == 1, "a batch of one"
    assert queries[0].startswith(prompts[0])
    length = float(len(queries[0]) - len(prompts[0]))
    return {
        "rewards": Tensor([length]),
        "scores": Tensor([0.25]),
        "extra_logs": {"matches": Tensor(1.0 if labels[0] in queries[0] else 0.0)},
    }


# --- verl ----------------------------------------------------------------------


def compute_score(data_source, solution_str, ground_truth, extra_info=None, scale=1.0):
    assert data_source == "math" and extra_info["index"] == 7
    assert extra_info["num_turns"] is None
    return {"score": scale * len(solution_str), "acc": solution_str == ground_truth}


async def compute_plain(data_source, solution_str, ground_truth, extra_info):
    return float(solution_str == ground_truth)


def compute_batch(data_sources, solution_strs, ground_truths, extra_infos):
    return [{"score": len(s)} for s in solution_strs]


# --- verifiers -----------------------------------------------------------------


def verifiers_sync(completion, answer, **kwargs):
    return 1.0 if completion[-1]["content"] == answer else 0.0


async def verifiers_async(prompt, completion, info, state, task):
    assert prompt[-1]["role"] == "user" and state["completion"] == completion
    return float(len(completion[-1]["content"]) + info["bonus"])


def verifiers_group(completions, states, answers):
    best = max(len(c[-1]["content"]) for c in completions)
    return [float(len(c[-1]["content"]) == best) for c in completions]


# --- faults --------------------------------------------------------------------


def raises(completions, **kwargs):
    raise ValueError("no such thing")


def raises_at_row(solution_str, ground_truth):
    return 1 / (0 if solution_str == "bad" else 1)


def not_finite(completions, **kwargs):
    return [float("inf") if c == "bad" else 0.0 for c in completions]


def too_few(completions, **kwargs):
    return [1.0]


def text(completions, **kwargs):
    return ["high" for _ in completions]


def dies(completions, **kwargs):
    print("about to die", file=sys.stderr)
    sys.stderr.flush()
    os._exit(3)


def dies_once(completions, mark, **kwargs):
    if not os.path.exists(mark[0]):
        open(mark[0], "w").close()
        os._exit(3)
    return [1.0 for _ in completions]


def stalls(completions, **kwargs):
    time.sleep(1000)


def reads_input(completions, **kwargs):
    return [float(len(sys.stdin.read())) for _ in completions]


# --- delays --------------------------------------------------------------------


def letter_a(completions, **kwargs):
    time.sleep(random.random() * 0.05)
    return [float("a" in c) for c in completions]


def letter_b(completions, **kwargs):
    return [float("b" in c) for c in completions]


def letter_b_or_none(completions, **kwargs):
    return [float("b" in c) if sum(map(ord, c)) % 3 else None for c in completions]
