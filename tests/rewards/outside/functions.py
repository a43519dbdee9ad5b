"""Reward functions in every signature that moft runs, and faulty ones.

Most answer len(completion) in a way that shows what else they were given."""

import asyncio
import ctypes
import fractions
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


def place_in_call(completions, **kwargs):
    """Depends on every other row of the call."""
    return [(i + ("b" in c)) / len(completions) for i, c in enumerate(completions)]


def trl_none(completions, **kwargs):
    return [None if c == "bad" else 1.0 for c in completions]


def trl_columns(completions, score, tags, completion_ids, trainer_state, log_metric, log_extra, **kwargs):
    """The columns as they are in the data, and what else TRL gives."""
    assert "prompt" not in kwargs and "completion" not in kwargs
    log_metric("seen", float(trainer_state.global_step))
    log_extra("lengths", [len(c) for c in completions])
    log_extra("words", completions)
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


def labelled(completions, label, labels=None, **kwargs):
    """TRL's, whatever the names of the columns."""
    return [float(c == text) for c, text in zip(completions, label)]


def positional(completions, post, /, **kwargs):
    assert "completions" not in kwargs and "prompts" in kwargs
    return [len(c) + len(p) for c, p in zip(completions, post)]


def has_a_loop(completions, **kwargs):
    async def scores():
        await asyncio.sleep(0)
        return [float(len(c)) for c in completions]

    return asyncio.run(scores())


def hands_on(prompts, completions, post, **kwargs):
    return trl_async(completions, post)


def generates(completions, **kwargs):
    for c in completions:
        yield fractions.Fraction(len(c), 2)


def changes_its_lists(prompts, completions, **kwargs):
    rows = len(completions)
    completions.clear()
    prompts[0] = None
    return [1] * rows


def changes_its_folder(completions, **kwargs):
    os.chdir("/")
    return [float(os.getcwd() == "/") for _ in completions]


def closes_its_output(completions, **kwargs):
    sys.stdout.flush()
    os.closerange(1, 2)
    return [1.0 for _ in completions]


def forks(completions, **kwargs):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return [1.0 for _ in completions]


def checked(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


@checked
def decorated(completions, post):
    return [len(c) + len(p) for c, p in zip(completions, post)]


def verl_keywords(**kwargs):
    return float(kwargs["solution_str"] == kwargs["ground_truth"])


def prints_much(completions, **kwargs):
    for _ in range(1000):
        sys.stdout.write("x" * 100_000)
    for i in range(100_000):
        print("line", i)
    return [1.0 for _ in completions]


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


def openrlhf_lists(queries, prompts, labels):
    rows = [float(len(q) - len(p)) for q, p in zip(queries, prompts)]
    return {"rewards": rows, "scores": [0.5], "extra_logs": {"acc": [r / 2 for r in rows]}}


# --- verl ----------------------------------------------------------------------


def compute_score(data_source, solution_str, ground_truth, extra_info=None, scale=1.0):
    assert data_source == "math" and extra_info["index"] == 7
    assert extra_info["num_turns"] is None
    return {"score": scale * len(solution_str), "acc": solution_str == ground_truth}


async def compute_plain(data_source, solution_str, ground_truth, extra_info):
    return float(solution_str == ground_truth)


calls = 0


def counts_calls(data_source, solution_str, ground_truth):
    global calls
    calls += 1
    return {"score": calls, "acc": calls, "length": len(solution_str)}


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


def too_many(completions, **kwargs):
    return [1.0] * (len(completions) + 1)


def nothing(completions, **kwargs):
    pass


def lists(completions, **kwargs):
    return [[1.0, 2.0] for _ in completions]


def exits(completions, **kwargs):
    sys.exit("no more")


async def exits_later(completions, **kwargs):
    raise SystemExit(3)


def half_a_character(completions, **kwargs):
    raise ValueError("\udcff broken")


def needs_more(completions, weight, **kwargs):
    return [weight for _ in completions]


def breaks(completions, **kwargs):
    ctypes.string_at(0)


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


def stalls_or_fails(completions, **kwargs):
    if completions[0] == "bad":
        raise ValueError("no judge")
    time.sleep(100)


def reads_input(completions, **kwargs):
    return [float(len(sys.stdin.read())) for _ in completions]


# --- delays --------------------------------------------------------------------


def letter_a(completions, **kwargs):
    time.sleep(random.random() * 0.05)
    return [float("a" in c) for c in completions]


def letter_a_later(completions, **kwargs):
    time.sleep(0.2)
    return [float("a" in c) for c in completions]


def letter_b(completions, **kwargs):
    return [float("b" in c) for c in completions]


def letter_b_or_none(completions, **kwargs):
    return [float("b" in c) if sum(map(ord, c)) % 3 else None for c in completions]
