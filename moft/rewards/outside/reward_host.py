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
import importlib.machinery
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
    """A failure that one completion caused: row, exception."""


class Ended(Exception):
    """A function tried to end the process."""


# --- finding functions ------------------------------------------------------

@functools.lru_cache(maxsize=None)
def load_file(path):
    path = os.path.abspath(path)
    name = "reward_" + os.path.splitext(os.path.basename(path))[0]
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, os.path.dirname(path))
    spec.loader.exec_module(module)
    return module


_loop = asyncio.new_event_loop()


def wait_for(awaitable):
    asyncio.set_event_loop(_loop)  # asyncio.run() takes it away
    return _loop.run_until_complete(awaitable)


def is_async(function):
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(function, "__call__", None)
    return any(map(inspect.iscoroutinefunction, (function, called)))


def interface_of(names):
    if "solution_strs" in names:
        return "verl_batch"
    if "solution_str" in names:
        return "verl"
    if "completion" in names:
        return "verifiers"
    if names & {"states", "tasks", "infos"}:
        return "verifiers_group"
    if names & {"queries", "labels"} and "completions" not in names:
        return "openrlhf"
    return "trl"


class Function:
    """One objective: a user's function, and how it is called."""

    def __init__(self, name, about):
        self.name = name
        self.key = about.get("key")
        self.chat = about.get("chat", False)
        self.arguments = about.get("arguments", {})
        where = about.get("file") or about["module"]
        module = (load_file if "file" in about else importlib.import_module)(where)
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
        if not callable(self.function) or inspect.isclass(self.function):
            raise TypeError(
                f"{about['function']} in {where} is {self.function!r}; give a "
                "function, or an object that can be called"
            )
        try:
            self.takes = inspect.signature(self.function).parameters
        except ValueError:  # a built-in one
            self.takes = {}
        self.takes_all = any(p.kind is p.VAR_KEYWORD for p in self.takes.values())
        self.is_async = is_async(self.function)
        kind = about.get("interface", "auto")
        self.interface = interface_of(set(self.takes)) if kind == "auto" else kind

    def identity(self):
        """Equal for objectives that differ in their key alone."""
        arguments = json.dumps(self.arguments, sort_keys=True)
        return id(self.function), self.interface, self.chat, arguments

    async def call(self, always, when_named=None):
        """Calls with `always`, or what of it the function takes; with those of
        `when_named` that it names."""
        given = {
            k: v
            for k, v in {**always, **self.arguments}.items()
            if self.takes_all or k in self.takes
        }
        for k, v in (when_named or {}).items():
            if k in self.takes:
                given.setdefault(k, v)
        lacks = [
            repr(k)
            for k, p in self.takes.items()
            if p.default is p.empty
            and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            and k not in given
        ]
        if lacks:
            raise TypeError(
                f"it needs {' and '.join(lacks)}, but is given "
                f"{', '.join(sorted(always))}"
            )
        first = [
            given.pop(k)
            for k, p in self.takes.items()
            if p.kind is p.POSITIONAL_ONLY and k in given
        ]
        try:
            result = self.function(*first, **given)
            if not inspect.isawaitable(result):
                return result
            return await result if self.is_async else wait_for(result)
        except (SystemExit, KeyboardInterrupt) as error:
            # Else it would end this process.
            trace = error.__traceback__
            raise Ended(repr(error)).with_traceback(trace) from None

    async def each(self, rows, call):
        """`call(i)` of every row, the asynchronous ones together."""

        async def one(i):
            try:
                return await call(i)
            except Exception as error:
                raise RowError(i, error) from error

        if self.is_async:
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
    if isinstance(value, (str, bytes, dict)):
        raise TypeError(f"a reward is {repr(value):.80}, not a number")
    value = float(value)
    return value if math.isfinite(value) else str(value)


def numbers(values, rows):
    values = plain(values)
    if hasattr(values, "__iter__") and not isinstance(values, (str, bytes, dict)):
        values = list(values)
    elif rows == 1:
        values = [values]
    else:
        raise TypeError(
            f"{type(values).__name__} where a list of {rows} rewards is expected"
        )
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

    def __init__(self, request, metrics, said):
        self.request = request
        self.columns = request.get("columns") or {}
        self.texts = request["completions"]
        self.rows = len(self.texts)
        self.metrics = metrics
        self.said = said
        self.messages = [[{"role": "assistant", "content": t}] for t in self.texts]

    def prompts(self, chat):
        prompts = self.request["prompts"]
        if not chat:
            return prompts
        return self.request.get("messages") or [
            [{"role": "user", "content": text}] for text in prompts
        ]

    def log_metric(self, name, value):
        self.log_extra(name, [value])

    def log_extra(self, name, values):
        """Numbers become a metric, their mean; texts go with their rows."""
        values = plain(values)
        try:
            values = [number(v) for v in values]
        except (TypeError, ValueError):
            if isinstance(values, (list, tuple)) and len(values) == self.rows:
                self.said[str(name)] = [v if v is None else str(v) for v in values]
            return
        self.metrics.setdefault(str(name), []).extend(
            v for v in values if isinstance(v, float)
        )

    def log_entries(self, results, but):
        """What else is in the dictionaries that a function returned."""
        for result in (r for r in results if isinstance(r, dict)):
            extra = {**result, **(result.get("extra_logs") or {})}
            for name in extra.keys() - but - {"rewards", "score", "extra_logs"}:
                values = plain(extra[name])
                listed = isinstance(values, (list, tuple))
                self.log_extra(name, values if listed else [values])

    def states(self):
        """What verifiers' functions see, row by row."""
        prompts = self.prompts(True)
        return [
            {
                "answer": "",
                "info": {},
                "task": "default",
                **{name: column[i] for name, column in self.columns.items()},
                "prompt": prompts[i],
                "completion": self.messages[i],
            }
            for i in range(self.rows)
        ]

    def verl_rows(self):
        n = self.rows
        truths = self.columns.get("ground_truth") or [
            m.get("ground_truth") if isinstance(m, dict) else None
            for m in self.columns.get("reward_model", [None] * n)
        ]
        sources = self.columns.get("data_source", [""] * n)
        extras = self.columns.get("extra_info", [None] * n)
        own = {"num_turns": None, "rollout_reward_scores": {}}  # verl's own
        return [
            {
                "data_source": sources[i],
                "solution_str": self.texts[i],
                "ground_truth": truths[i],
                "extra_info": {**own, **(extras[i] or {})},
            }
            for i in range(n)
        ]


# ask_INTERFACE asks a function, and gives what it returned: a result for each row, or,
# of the interfaces in WHOLE, one for all.
WHOLE = {"trl", "verl_batch", "verifiers_group"}


async def ask_trl(f, call):
    step, steps = (call.request.get(k, 0) for k in ("step", "max_steps"))
    state = types.SimpleNamespace(global_step=step, max_steps=steps, epoch=None)
    ids = call.request.get("completion_ids") or [[] for _ in call.texts]
    return await f.call(
        {
            **call.columns,
            "prompts": call.prompts(f.chat),
            "completions": call.messages if f.chat else call.texts,
            "completion_ids": ids,
            "trainer_state": state,
            "log_extra": call.log_extra,
            "log_metric": call.log_metric,
        }
    )


async def ask_openrlhf(f, call):
    ends = call.request.get("raw_completions") or call.texts
    prompts = call.request["prompts"]
    nothing = [None] * call.rows
    labels = call.columns.get("label") or call.columns.get("labels") or nothing

    def one(i):
        query = prompts[i] + ends[i]
        return f.call(
            {"queries": [query], "prompts": [prompts[i]], "labels": [labels[i]]}
        )

    return await f.each(call.rows, one)


async def ask_verl(f, call):
    rows = call.verl_rows()
    more = {"reward_router_address": None, "reward_model_tokenizer": None}
    return await f.each(call.rows, lambda i: f.call(rows[i], more))


async def ask_verl_batch(f, call):
    rows = call.verl_rows()
    return await f.call({k + "s": [row[k] for row in rows] for k in rows[0]})


async def ask_verifiers(f, call):
    states = call.states()
    return await f.each(
        call.rows, lambda i: f.call({**states[i], "state": dict(states[i])})
    )


async def ask_verifiers_group(f, call):
    states = call.states()
    names = ("prompt", "completion", "answer", "info", "task")
    lists = {name + "s": [state[name] for state in states] for name in names}
    return await f.call({"states": states, **lists})


def rewards_of(f, result, rows):
    default = "score" if f.interface.startswith("ver") else "rewards"
    if f.interface == "verl_batch":
        result = [entry(r, f.key, default) for r in plain(result)]
    if f.interface in WHOLE:
        return numbers(entry(result, f.key, default), rows)
    rewards = []
    for i, one in enumerate(result):
        try:
            rewards += numbers(entry(one, f.key, default), 1)
        except Exception as error:
            raise RowError(i, error) from error
    return rewards


# --- requests ---------------------------------------------------------------


def describe(error, function):
    """One line: what was raised, where in the user's code."""
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if os.path.abspath(frame.filename) != os.path.abspath(__file__):
            name = os.path.basename(frame.filename)
            where = f" ({name}:{frame.lineno}, in {frame.name})"
            break
    what = f"raised {type(error).__name__}:"
    if isinstance(error, Ended):
        what = "tried to end its process with"
    return f"{function} {what} {error}{where}".encode("utf-8", "replace").decode()


def run_here(asking):
    """Runs what does not wait, without an event loop around it: functions may
    use asyncio.run() themselves."""
    try:
        asking.send(None)
    except StopIteration as done:
        return done.value
    except BaseException as error:
        return error


def ask_all(groups, calls):
    """A result or an exception for each group of objectives that one call of a
    function serves: functions of `def` one after another, then those of
    `async def` together."""
    found = {}
    together = {}

    async def gather():
        return await asyncio.gather(*together.values(), return_exceptions=True)

    for key, (f, *_) in groups.items():
        asking = globals()["ask_" + f.interface](f, calls[key])
        if f.is_async:
            together[key] = asking
        else:
            found[key] = run_here(asking)
    if together:
        found.update(zip(together, wait_for(gather())))
    return found


def answer(groups, line):
    metrics, said = {}, {}
    # Each has lists of its own, which it may change.
    calls = {key: Call(json.loads(line), metrics, said) for key in groups}
    rewards = {}
    for key, result in ask_all(groups, calls).items():
        call = calls[key]
        for f in groups[key]:
            try:
                if isinstance(result, BaseException):
                    raise result
                rewards[f.name] = rewards_of(f, result, call.rows)
            except BaseException as error:
                return failure(f, error)
        whole = groups[key][0].interface in WHOLE and not isinstance(result, list)
        call.log_entries([result] if whole else result, {f.key for f in groups[key]})
    means = {k: sum(v) / len(v) for k, v in metrics.items() if v}
    return {"rewards": rewards, "metrics": means, "texts": said}


def failure(f, error):
    row = {}
    if isinstance(error, RowError):
        row["row"], error = error.args
    traceback.print_exception(type(error), error, error.__traceback__)
    return {"error": describe(error, f.name), **row}


def main():
    # The wire is moved away before user code runs: what that reads or prints,
    # in Python or C, touches neither the requests nor the answers.
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
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
        groups = {}
        for f in functions:
            groups.setdefault(f.identity(), []).append(f)
    except BaseException as error:
        traceback.print_exc()
        say({"error": describe(error, "loading the function")})
        return 1
    kinds = {f.name: f.interface for f in functions}
    say({"moft_reward": VERSION, "objectives": kinds})
    for line in requests:
        try:
            reply = answer(groups, line)
        except Exception as error:
            traceback.print_exc()
            reply = {"error": describe(error, "the host")}
        say({"id": json.loads(line)["id"], **reply})
    return 0


if __name__ == "__main__":
    sys.exit(main())
