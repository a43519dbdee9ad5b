"""Runs reward functions written for TRL, OpenRLHF, verl or verifiers, unchanged.

moft starts it and speaks to it in lines of JSON on standard input and output
(moft/rewards/outside/wire.h). Whatever the functions print goes to standard
error. It needs the standard library alone.

usage: reward_host.py '{"NAME": {"file": "rewards.py", "function": "f"}, ..}'

Of each objective: "file" or "module", "function", and optionally "key" (an
entry of the dictionary that the function returns), "chat" (messages instead of
texts), "interface" (auto: by the names of the parameters), "arguments".
"""

import asyncio
import functools
import importlib
import importlib.util
import inspect
import json
import math
import os
import sys
import traceback
import types

VERSION = 1


class RowError(Exception):
    """A failure that one completion caused."""

    def __init__(self, row, error):
        super().__init__(str(error))
        self.row = row
        self.error = error


# --- finding functions ------------------------------------------------------

_files = {}


def load_file(path):
    path = os.path.abspath(path)
    if path not in _files:
        name = "reward_" + os.path.basename(path).removesuffix(".py")
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        sys.path.insert(0, os.path.dirname(path))
        spec.loader.exec_module(module)
        _files[path] = module
    return _files[path]


def is_async(function):
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)
    )


def interface_of(names):
    if "solution_strs" in names:
        return "verl_batch"
    if "solution_str" in names:
        return "verl"
    if names & {"queries", "labels"}:
        return "openrlhf"
    if "completion" in names:
        return "verifiers"
    if names & {"states", "tasks", "infos"}:
        return "verifiers_group"
    return "trl"


class Function:
    """One objective: a user's function, and how it is called."""

    def __init__(self, name, about):
        self.name = name
        self.key = about.get("key")
        self.chat = about.get("chat", False)
        self.arguments = about.get("arguments", {})
        where = about.get("file") or about["module"]
        if "file" in about:
            module = load_file(where)
        else:
            module = importlib.import_module(where)
        try:
            self.function = functools.reduce(
                getattr, about["function"].split("."), module
            )
        except AttributeError:
            known = ", ".join(
                k for k, v in vars(module).items() if callable(v) and k[0] != "_"
            )
            raise LookupError(
                f"{where} has no function '{about['function']}'; it has {known}"
            ) from None
        if not callable(self.function):
            raise TypeError(f"{about['function']} in {where} is not a function")
        try:
            parameters = inspect.signature(self.function).parameters
        except ValueError:  # a built-in one
            parameters = {}
        self.takes = set(parameters)
        self.takes_all = any(
            p.kind is p.VAR_KEYWORD for p in parameters.values()
        )
        kind = about.get("interface", "auto")
        self.interface = interface_of(self.takes) if kind == "auto" else kind

    async def call(self, always, when_named=None):
        """Calls with `always`, or what of it the function takes; with those of
        `when_named` that it names."""
        given = {
            k: v
            for k, v in {**always, **self.arguments}.items()
            if self.takes_all or k in self.takes
        }
        given.update(
            (k, v)
            for k, v in (when_named or {}).items()
            if k in self.takes and k not in given
        )
        result = self.function(**given)
        return await result if inspect.isawaitable(result) else result

    async def each(self, rows, call):
        """`call(i)` of every row, the asynchronous ones together."""

        async def one(i):
            try:
                return await call(i)
            except Exception as error:
                raise RowError(i, error) from error

        if is_async(self.function):
            return await asyncio.gather(*[one(i) for i in range(rows)])
        return [await one(i) for i in range(rows)]


# --- numbers ----------------------------------------------------------------


def plain(value):
    """A tensor, array or NumPy number as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.item() if hasattr(value, "item") else value


def number(value):
    """A float, None, or the name of an infinity or NaN, which is JSON."""
    value = plain(value)
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = number(value[0])
    if value is None or isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return value
    if isinstance(value, str):
        raise TypeError(f"a reward is the text {value!r}, not a number")
    value = float(value)
    return value if math.isfinite(value) else str(value)


def numbers(values, rows):
    values = plain(values)
    if not isinstance(values, (list, tuple)):
        values = [values]
    values = [number(v) for v in values]
    if len(values) != rows:
        raise ValueError(f"{len(values)} rewards for {rows} completions")
    return values


def entry(result, key, default):
    """The reward in what a function returned."""
    if not isinstance(result, dict):
        return result
    wanted = key or default
    for part in (result, result.get("extra_logs") or {}):
        if wanted in part:
            return part[wanted]
    raise KeyError(f"{wanted!r} is not among {', '.join(map(repr, result))}")


# --- the interfaces ---------------------------------------------------------


class Call:
    """The rows of a request, as the interfaces name them."""

    def __init__(self, request):
        self.request = request
        self.columns = request.get("columns") or {}
        self.texts = request["completions"]
        self.rows = len(self.texts)
        self.metrics = {}
        self.messages = [
            [{"role": "assistant", "content": text}] for text in self.texts
        ]

    def prompts(self, chat):
        prompts = self.request["prompts"]
        if not chat:
            return prompts
        return self.request.get("messages") or [
            [{"role": "user", "content": text}] for text in prompts
        ]

    def completions(self, chat):
        return self.messages if chat else self.texts

    def row(self, i):
        return {name: column[i] for name, column in self.columns.items()}

    def column(self, *names, default=None):
        for name in names:
            if name in self.columns:
                return self.columns[name]
        return [default] * self.rows

    def log_metric(self, name, value):
        value = number(value)
        if isinstance(value, float):
            self.metrics[name] = value

    def truths(self):
        if "ground_truth" in self.columns:
            return self.columns["ground_truth"]
        return [
            m.get("ground_truth") if isinstance(m, dict) else None
            for m in self.column("reward_model")
        ]

    def extras(self):
        # verl's own additions.
        return [
            {"num_turns": None, "rollout_reward_scores": {}, **(e or {})}
            for e in self.column("extra_info")
        ]


async def score_trl(f, call):
    request = call.request
    state = types.SimpleNamespace(
        global_step=request.get("step", 0),
        max_steps=request.get("max_steps", 0),
        epoch=None,
    )
    result = await f.call(
        {
            **call.columns,
            "prompts": call.prompts(f.chat),
            "completions": call.completions(f.chat),
            "completion_ids": request.get("completion_ids")
            or [[] for _ in call.texts],
            "trainer_state": state,
            "log_extra": lambda column, values: None,
            "log_metric": call.log_metric,
        }
    )
    return numbers(entry(result, f.key, "rewards"), call.rows)


async def score_openrlhf(f, call):
    ends = call.request.get("raw_completions") or call.texts
    prompts = call.request["prompts"]
    labels = call.column("label", "labels")

    async def one(i):
        result = await f.call(
            {
                "queries": [prompts[i] + ends[i]],
                "prompts": [prompts[i]],
                "labels": [labels[i]],
            }
        )
        return numbers(entry(result, f.key, "rewards"), 1)[0]

    return await f.each(call.rows, one)


async def score_verl(f, call):
    sources = call.column("data_source", default="")
    truths = call.truths()
    extras = call.extras()

    async def one(i):
        result = await f.call(
            {
                "data_source": sources[i],
                "solution_str": call.texts[i],
                "ground_truth": truths[i],
                "extra_info": extras[i],
            },
            {"reward_router_address": None, "reward_model_tokenizer": None},
        )
        return number(entry(result, f.key, "score"))

    return await f.each(call.rows, one)


async def score_verl_batch(f, call):
    results = await f.call(
        {
            "data_sources": call.column("data_source", default=""),
            "solution_strs": call.texts,
            "ground_truths": call.truths(),
            "extra_infos": call.extras(),
        }
    )
    return numbers(
        [entry(result, f.key, "score") for result in plain(results)], call.rows
    )


async def score_verifiers(f, call):
    prompts = call.prompts(True)

    async def one(i):
        row = {"answer": "", "info": {}, "task": "default", **call.row(i)}
        result = await f.call(
            {
                **row,
                "prompt": prompts[i],
                "completion": call.messages[i],
                "state": {
                    **row,
                    "prompt": prompts[i],
                    "completion": call.messages[i],
                },
            }
        )
        return number(entry(result, f.key, "score"))

    return await f.each(call.rows, one)


async def score_verifiers_group(f, call):
    prompts = call.prompts(True)
    rows = [
        {"answer": "", "info": {}, "task": "default", **call.row(i)}
        for i in range(call.rows)
    ]
    result = await f.call(
        {
            "prompts": prompts,
            "completions": call.messages,
            "answers": [row["answer"] for row in rows],
            "infos": [row["info"] for row in rows],
            "tasks": [row["task"] for row in rows],
            "states": [
                {**row, "prompt": prompts[i], "completion": call.messages[i]}
                for i, row in enumerate(rows)
            ],
        }
    )
    return numbers(result, call.rows)


SCORERS = {
    "trl": score_trl,
    "openrlhf": score_openrlhf,
    "verl": score_verl,
    "verl_batch": score_verl_batch,
    "verifiers": score_verifiers,
    "verifiers_group": score_verifiers_group,
}


# --- requests ---------------------------------------------------------------


def describe(error, function):
    """One line: what was raised, where in the user's code."""
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if os.path.abspath(frame.filename) != os.path.abspath(__file__):
            name = os.path.basename(frame.filename)
            where = f" ({name}:{frame.lineno}, in {frame.name})"
            break
    return f"{function} raised {type(error).__name__}: {error}{where}"


async def answer(functions, request):
    call = Call(request)
    results = await asyncio.gather(
        *[SCORERS[f.interface](f, call) for f in functions],
        return_exceptions=True,
    )
    reply = {"id": request["id"], "rewards": {}, "metrics": call.metrics}
    for f, result in zip(functions, results):
        if not isinstance(result, BaseException):
            reply["rewards"][f.name] = result
            continue
        error = result.error if isinstance(result, RowError) else result
        traceback.print_exception(type(error), error, error.__traceback__)
        reply = {"id": request["id"], "error": describe(error, f.name)}
        if isinstance(result, RowError):
            reply["row"] = result.row
        break
    return reply


def main():
    # The wire is moved away before user code runs: what that reads or prints,
    # in Python or C, touches neither the requests nor the answers.
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    sys.stdin = open(0, encoding="utf-8", closefd=False)

    def say(reply):
        replies.write(json.dumps(reply, allow_nan=False, default=str) + "\n")
        replies.flush()

    # As `python rewards.py` from here would find modules, without this file's.
    sys.path[0] = os.getcwd()
    try:
        functions = [Function(k, v) for k, v in json.loads(sys.argv[1]).items()]
    except BaseException as error:
        traceback.print_exc()
        say({"error": describe(error, "loading the function")})
        return 1
    say({"moft_reward": VERSION, "objectives": {f.name: f.interface for f in functions}})
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    for line in requests:
        request = json.loads(line)
        try:
            reply = loop.run_until_complete(answer(functions, request))
        except Exception as error:
            traceback.print_exc()
            reply = {"id": request["id"], "error": describe(error, "the host")}
        say(reply)
    return 0


if __name__ == "__main__":
    sys.exit(main())
