"""What every claim of docs/results/figures-protocol.md needs and computes in tier 1.

A claim has verdicts (usually one); a verdict is a list of parts as `moft verdict` reads
them. Fronts are those of tests/trained/enum_runs.h: enumerated, so that a seed is one
row of numbers.
"""

import itertools
import re

VALUE, SPREAD = 0.005, 0.02  # smallest effects on exact tasks
STEPS = 1512
SEEDS = range(1, 11)
FAMILIES = ("llama", "t5")
# name: (objectives, alpha)
TASKS = {"pair": (2, 0.01), "three": (3, 0.01), "pair.1": (2, 0.1), "kl": (1, 0.01)}
PATH = range(5)  # of task kl: even in the mixing amount, from 0 to 1
INSIDE = (1, 2, 3, 5, 6)  # its KL strengths between the two models

# ---- one front ------------------------------------------------------------------


class Front:
    def __init__(self, front):
        self.weightings = front["weightings"]
        self.alphas = front["alphas"]
        self.rewards = front["rewards"]
        self.values = front["value"]
        self.kl = front["kl"]
        self.optima = front["optimum"]
        self.completions = front["completions"]

    @property
    def objectives(self):
        return len(self.weightings[0])

    def at(self, weighting):
        for k, other in enumerate(self.weightings):
            if all(abs(a - b) < 1e-9 for a, b in zip(weighting, other)):
                return k
        raise KeyError(f"no weighting {weighting}")

    def vertex(self, i):
        return self.at([float(i == j) for j in range(self.objectives)])

    def mean_value(self, points=()):
        """M, or its mean over some of the weightings."""
        return mean(self.values[k] for k in points or range(len(self.values)))


    def mean_reward(self):
        return mean(
            sum(x * r for x, r in zip(w, rewards))
            for w, rewards in zip(self.weightings, self.rewards)
        )

    def share_of_optimum(self):
        return self.mean_value() / mean(self.optima)


def mean(numbers):
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


def is_vertex(weighting):
    return max(weighting) > 1 - 1e-9


def interior(front):
    return [k for k, w in enumerate(front.weightings) if not is_vertex(w)]


def vertices(front):
    return [k for k, w in enumerate(front.weightings) if is_vertex(w)]


def d_over(a, b, which):
    return mean(a.values[k] - b.values[k] for k in which)


def d_int(a, b):
    return d_over(a, b, interior(a))


def d_ver(a, b):
    return d_over(a, b, vertices(a))


def reach(front):
    """Mean over i of E[R_i] where w_i is largest less where it is smallest."""
    total = 0.0
    for i in range(front.objectives):
        column = [w[i] for w in front.weightings]
        high, low = max(column), min(column)

        def at(level):
            return mean(
                r[i] for r, w in zip(front.rewards, column) if abs(w - level) < 1e-9
            )

        total += at(high) - at(low)
    return total / front.objectives


def reach_of_pairs(front):
    """Mean over pairs of objectives of the reach between their two vertices."""
    spans = []
    for i, j in itertools.permutations(range(front.objectives), 2):
        at, away = front.vertex(i), front.vertex(j)
        spans.append(front.rewards[at][i] - front.rewards[away][i])
    return mean(spans)


def by_objective(front):
    """E[R_i] along rising w_i, objective after objective, and those weights."""
    columns, order = [], []
    for i in range(front.objectives):
        points = sorted((w[i], r[i]) for w, r in zip(front.weightings, front.rewards))
        order += [w for w, _ in points]
        columns += [r for _, r in points]
    return columns, order


def asked_for(front):
    """Claim 1.1: what the answer under w_k is better under w_k than another one."""
    chosen = [front.at([x, 1 - x]) for x in (0.8, 0.5, 0.2)]
    gains = []
    for a, b in itertools.permutations(chosen, 2):
        w = front.weightings[a]
        difference = zip(w, front.rewards[a], front.rewards[b])
        gains.append(sum(x * (p - q) for x, p, q in difference))
    return mean(gains)


def movement(fronts):
    """Mean distance of E[R] between successive checkpoints."""
    distances = []
    for before, after in zip(fronts, fronts[1:]):
        for a, b in zip(before.rewards, after.rewards):
            distances.append(sum((x - y) ** 2 for x, y in zip(a, b)) ** 0.5)
    return mean(distances)


# ---- one seed ---------------------------------------------------------------------


class Missing(Exception):
    """A unit that has not been run."""


class Seed:
    """The units of one family, task and seed. `units`: name -> result."""

    def __init__(self, units):
        self.units = units

    def front(self, unit, part=1.0, method=None):
        """The front at part * T of a unit, e.g. part 1/9."""
        result = self.units.get(unit)
        if result is None:
            raise Missing(unit)
        step = round(part * result["steps"])
        for front in result["fronts"]:
            if front["method"] == (method or result["unit"]):
                if front["step"] in (0, step):
                    return Front(front)
        raise Missing(f"{unit} at step {step}")

    def soup(self, unit="experts"):
        m = self.units.get(unit, {}).get("objectives", 2)
        return self.front(unit, 1 / m, "soup")

    def bank_reach(self):
        """Reach of one run per weighting: its corners are the experts at T."""
        return reach_of_pairs(self.front("experts", 1.0, "soup"))

    def share(self, unit):
        front = self.front(unit)
        spread = reach(front) if front.objectives == 2 else reach_of_pairs(front)
        return [spread, self.bank_reach()]


# ---- parts ------------------------------------------------------------------------


class Part:
    """`columns`: a function of a Seed that gives a number or a list of them."""

    def __init__(self, name, columns, delta, kind="more", **more):
        self.name, self.columns, self.delta, self.kind = name, columns, delta, kind
        self.more = more

    def as_json(self, seeds):
        rows = []
        for seed in seeds:
            value = self.columns(seed)
            rows.append([value if isinstance(value, list) else [value]])
        return {
            "name": self.name,
            "kind": self.kind,
            "delta": self.delta,
            **self.more,
            "seeds": rows,
        }


def inside(a, b="soup", delta=VALUE):
    return Part(
        f"D_int({a}, {b})", lambda s: d_int(pick(s, a), pick(s, b)), delta
    )


def at_vertices(a, b, kind="more"):
    return Part(
        f"D_ver({a}, {b})", lambda s: d_ver(pick(s, a), pick(s, b)), VALUE, kind
    )


def spread(a, b, kind="more", at_a=1.0, at_b=1.0, delta=SPREAD):
    def columns(seed):
        return reach(pick(seed, a, at_a)) - reach(pick(seed, b, at_b))

    def named(name, at):
        return name if at == 1.0 else f"{name} at {PARTS[at]}"

    return Part(
        f"Reach({named(a, at_a)}) - Reach({named(b, at_b)})", columns, delta, kind
    )


def quality(a, b, kind="more", delta=VALUE):
    return Part(
        f"M({a}) - M({b})",
        lambda s: pick(s, a).mean_value() - pick(s, b).mean_value(),
        delta,
        kind,
    )


def share_above(unit, offset, scale, delta):
    name = f"{offset} - share({unit})" if scale < 0 else f"share({unit}) - {-offset}"
    return Part(
        name, lambda s: s.share(unit), delta,
        statistic="ratio", offset=offset, scale=scale,
    )


PARTS = {1 / 9: "T/9", 1 / 3: "T/3", 2 / 3: "2T/3"}


def pick(seed, name, part=1.0):
    if name.startswith("soup"):
        return seed.soup("experts" + name[4:])
    if name == "mod":
        m = seed.units.get("experts", {}).get("objectives", 2)
        return seed.front("experts", 1 / m, "mod")
    return seed.front(name, part)


def evenness():
    order = [k / 10 for k in range(11)] * 2
    return [
        Part("tau(full) - 0.8", lambda s: by_objective(s.front("full"))[0], 0.0,
             statistic="tau", offset=-0.8, blocks=2, order=order),
        Part("0.5 - U(full)", lambda s: by_objective(s.front("full"))[0], 0.0,
             statistic="largest_step", offset=0.5, scale=-1.0, blocks=2),
    ]


def everywhere():
    def at(k):
        return lambda s: s.front("full").values[k] - s.soup().values[k]

    return [
        Part(f"V(full) - V(soup) at ({k / 10:g}, {1 - k / 10:g})", at(k), VALUE,
             "not_less")
        for k in range(11)
    ]


def smoother():
    def columns(seed):
        fronts = {
            unit: [seed.front(unit, part) for part in (1 / 3, 2 / 3, 1.0)]
            for unit in ("words", "full")
        }
        return movement(fronts["words"]) - movement(fronts["full"])

    return Part("movement(words) - movement(full)", columns, VALUE)


def projections():
    return Part(
        "Reach of pairs, full - words",
        lambda s: reach_of_pairs(s.front("full")) - reach_of_pairs(s.front("words")),
        SPREAD,
    )


def sampler_matters():
    return Part(
        "abs(Reach(words, .3) - Reach(words, 1)) - 0.02",
        lambda s: reach(s.front("words/dir03")) - reach(s.front("words")),
        0.0, statistic="absolute", offset=-SPREAD,
    )


def both_ways(part_of, a, b):
    return [part_of(a, b, "not_less"), part_of(b, a, "not_less")]


def at_width(width):
    return [
        Part(f"D_int(full, soup), width {width}",
             lambda s: d_int(at_size(s, "full", width), at_size(s, "soup", width)),
             VALUE),
        Part(f"Reach(full) - Reach(words), width {width}",
             lambda s: reach(at_size(s, "full", width))
             - reach(at_size(s, "words", width)), SPREAD),
    ]


def at_size(seed, name, width):
    return pick(seed, name if width == 16 else f"{name}/width-{width}")


def gap_falls():
    def gap(width):
        return lambda s: d_int(at_size(s, "full", width), at_size(s, "soup", width))

    parts = [Part(f"D_int(full, soup), width {w}", gap(w), 0.0) for w in (8, 16, 32)]
    parts.append(
        Part("D_int at width 8 - at width 32", lambda s: gap(8)(s) - gap(32)(s), 0.0)
    )
    return parts


def path(unit):
    """E[R] over even mixing amounts."""
    return lambda s: [s.front(unit).rewards[k][0] for k in PATH]


def jump(unit, other, delta):
    """U of one path less U of another."""
    def columns(seed):
        return path(unit)(seed) + path(other)(seed)

    return Part(f"U({unit}) - U({other})", columns, delta,
                statistic="largest_step", difference=True)


def kl_rows():
    """Task kl: one reward, every KL strength."""
    def kl_path(seed):
        return [seed.front("kl-full").kl[k] for k in PATH]

    def alphas(k):
        beta = k / 4
        return 0.01 / (0.01 + (1 - beta) * 0.99)

    return [
        Verdict("2.1", [Part(
            "V(kl-full) - V(dera)",
            lambda s: d_over(s.front("kl-full"), s.front("dera"), INSIDE),
            VALUE, "not_less")], ("kl-full", "dera"), "kl"),
        Verdict("2.2", [
            Part("0.5 - U(kl-full)", path("kl-full"), SPREAD,
                 statistic="largest_step", offset=0.5, scale=-1.0),
            Part("-tau(alpha, kl) - 0.9", kl_path, 0.0, statistic="tau",
                 offset=-0.9, scale=-1.0, order=[alphas(k) for k in PATH])],
            ("kl-full",), "kl"),
        Verdict("2.3", [jump("kl-logits", "kl-full", SPREAD)],
                ("kl-full", "kl-logits"), "kl"),
        Verdict("12.1", [jump("kl-linear", "kl-full", SPREAD)],
                ("kl-full", "kl-linear"), "kl"),
    ]


class Verdict:
    """One line of the page: what a claim asks of one task."""

    def __init__(self, claim, parts, units, task="pair", label=""):
        self.claim, self.parts, self.units = claim, parts, units
        self.task, self.label = task, label


def tier_one():
    core = ("full", "words", "experts")
    rows = [
        Verdict("1.1", [Part("w_k . (R(y_k) - R(y_k'))",
                             lambda s: asked_for(s.front("full")), 0.01)], ("full",)),
        Verdict("1.2", [inside("full"), inside("words")], core),
        Verdict("1.3", [spread("full", "words")], ("full", "words")),
        Verdict("3.1", [inside("full")], ("full", "experts")),
        Verdict("3.2", [inside("words")], ("words", "experts")),
        Verdict("3.3", [spread("full", "words"), spread("attention", "words")],
                ("full", "attention", "words")),
        Verdict("3.4", [spread("attention", "logits"), spread("full", "logits")],
                ("full", "attention", "logits")),
        Verdict("3.5", [share_above("words", 0.3, -1.0, SPREAD)],
                ("words", "experts"), label="words"),
        Verdict("3.5", [share_above("logits", 0.3, -1.0, SPREAD)],
                ("logits", "experts"), label="logits"),
        Verdict("3.6", [inside("attention"), share_above("attention", -0.5, 1.0, 0.0)],
                ("attention", "experts")),
        Verdict("3.7", [quality("attention", "full", "not_less"),
                        spread("attention", "full", "not_less")],
                ("full", "attention")),
        Verdict("3.8", [at_vertices("soup", "full", "not_less")], ("full", "experts")),
        Verdict("3.9", evenness(), ("full",)),
        Verdict("3.10", everywhere(), ("full", "experts")),
        Verdict("3.11", [inside("full")], ("full", "experts")),
        Verdict("13.1", [inside("full"), spread("full", "words")], core, "pair.1"),
        Verdict("4.1", [at_vertices("soup", "full"), at_vertices("soup", "words")],
                core, "three"),
        Verdict("4.2", [inside("full")], ("full", "experts"), "three"),
        Verdict("4.3", [quality("attention", "full", "not_less")],
                ("full", "attention"), "three"),
        Verdict("14.1", [projections()], ("full", "words"), "three"),
        Verdict("5.1", [spread(a, "words", at_a=1 / 9, at_b=1 / 9)
                        for a in ("full", "attention")],
                ("full", "attention", "words")),
        Verdict("5.2", [spread("words", "words", at_b=1 / 3)], ("words",)),
        Verdict("5.3", [spread("full", "words", at_a=1 / 9)], ("full", "words")),
        Verdict("5.4", [smoother()], ("full", "words")),
        Verdict("5.5", [spread("attention", "logits", at_a=1 / 9, at_b=1 / 9)],
                ("attention", "logits")),
        Verdict("6.1", [quality("full+words", "full", "not_less"),
                        spread("full+words", "full", "not_less")],
                ("full", "full+words")),
        Verdict("6.2", [spread("full+words", "full")], ("full", "full+words")),
        Verdict("18.1", both_ways(spread, "full/dir03", "full")
                + both_ways(quality, "full/dir03", "full"), ("full", "full/dir03")),
        Verdict("18.2", [sampler_matters()], ("words", "words/dir03")),
        Verdict("9.1", [spread("full/dir03", "full")], ("full", "full/dir03")),
        Verdict("9.2", [quality("full", "full/dir03")], ("full", "full/dir03")),
        Verdict("S.2", [quality("lora-batch", "attention"),
                        spread("lora-batch", "attention"),
                        inside("lora-batch", "attention")],
                ("lora-batch", "attention")),
    ]
    for unit in ("attention", "logits"):
        rows.append(Verdict("16.1", [quality(f"{unit}+words", unit, "not_less"),
                                     spread(f"{unit}+words", unit, "not_less")],
                            (unit, f"{unit}+words"), label=unit))
    widths = [f"{u}/width-{w}" for u in core for w in (8, 32)]
    for width in (8, 16, 32):
        rows.append(Verdict("7.1", at_width(width), (*core, *widths),
                            label=f"width {width}"))
    rows.append(Verdict("7.2", [Part(
        "Reach(words, 32) - Reach(words, 8)",
        lambda s: reach(at_size(s, "words", 32)) - reach(at_size(s, "words", 8)),
        SPREAD)], ("words/width-8", "words/width-32")))
    rows.append(Verdict("7.3", gap_falls(), (*core, *widths)))
    for claim, a, b, units in (
        ("S.1", "lora", "lora-batch", ("lora", "lora-batch")),
        ("R.mod", "full", "mod", ("full", "experts")),
    ):
        for one, other in ((a, b), (b, a)):
            for what, part in (("D_int", inside), ("Reach", spread), ("M", quality)):
                if what == "M" and claim != "S.1":
                    continue
                rows.append(Verdict(claim, [part(one, other)], units,
                                    label=f"{one} above {other} in {what}"))
    return rows + kl_rows()


# Runs that only the page's table of numbers shows.
REFERENCES = (("pair", "reference"), ("pair", "bank"), ("three", "reference"))


# Runs of tiers 2 and 3: recipe and changed keys, or what is missing for a command. T is
# 54 until the protocol's blank is filled; each also changes `output` and `training.seed`.
P2, P3, PK = (f"recipes/figures/{name}.yaml" for name in ("p2", "p3", "pk"))
ONE = "weightings.sampler=fixed weightings.weights="
DENSE = "training.weighting_per=batch conditioning.steered_set="
THIRD = "training.steps=18"
PLANNED_RUNS = {
    "P2.expert-a": f"{P2} {ONE}{{faithful: 1, rouge: 0}}",
    "P2.expert-b": f"{P2} {ONE}{{faithful: 0, rouge: 1}}",
    "P2.clp": P2,
    "P2.clp-batch": f"{P2} training.weighting_per=batch",
    "P2.words": "waits for a common adapter without copies",
    "P2.attention": f"{P2} {DENSE}attention",
    "P2.logits": f"{P2} {DENSE}logits",
    "P2.bank-.2": f"{P2} {ONE}{{faithful: 0.2, rouge: 0.8}}",
    "P2.bank-.5": f"{P2} {ONE}{{faithful: 0.5, rouge: 0.5}}",
    "P2.bank-.8": f"{P2} {ONE}{{faithful: 0.8, rouge: 0.2}}",
    "P2.clp+words": f"{P2} conditioning.prompt={{}}",
    "P2.panacea, P2.ric, P2.dpa, P2.cpo": "wait for the rivals' kinds",
    "P3.expert-c": f"{P3} {ONE}{{faithful: 0, rouge: 0, liked: 1}}",
    "P3.clp": P3,
    "P3.words": "waits for a common adapter without copies",
    "P3.attention": f"{P3} {DENSE}attention",
    "PK.clp": PK,
    "PK.linear": f"{PK} conditioning.f_mix=linear",
    "PK.alpha-.03": f"{PK} training.kl_sampler=fixed training.kl_strength=0.03",
    "PK.alpha-.1": f"{PK} training.kl_sampler=fixed training.kl_strength=0.1",
    "PK.alpha-.3": f"{PK} training.kl_sampler=fixed training.kl_strength=0.3",
    "A.alpha.1": f"{P2} {THIRD} training.kl_strength=0.1",
    "A.dir03": f"{P2} {THIRD} weightings.concentration=0.3",
    "A.attention+words": f"{P2} {THIRD} {DENSE}attention conditioning.prompt={{}}",
    "A.logits+words": f"{P2} {THIRD} {DENSE}logits conditioning.prompt={{}}",
    "S.*": "wait for the length and rates of `tldr-t5-mini`",
}

# Claims that no run of this plan decides, and why.
NOT_HERE = {
    "7.4": "4,550 TPU v5e chip-hours, and the paper's reward models",
    "8.1": "no judge of quality",
    "8.2": "no judge of quality",
    "8.3": "no judge of quality",
    "8.4": "no judge of quality",
    "8.5": "no judge of quality",
    "8.6": "no judge of quality",
    "9.3": "4,400 TPU v5e chip-hours, and two reward models of 11 G parameters",
}
# Facts and numbers without a test: what to run instead of a verdict.
FACTS = {
    "2.4": "fact, from the evaluation's counters",
    "2.5": "held exactly by `moft verify` (ENUM-1: KL 0 at alpha 1)",
    "2.6": "a number",
    "4.4": "numbers: trained parameters, in the tables below",
    "5.6": "a number",
    "D.3": "a table of texts",
    "R.b": "numbers: the bank's line in the tables below",
    "R.n": "numbers: the lines best-of-n in the tables below",
}


def claims_of_protocol(text):
    """(id, claim, statistic, runs) of every row of the protocol's table of claims."""
    section = text.split("\n## Claims\n", 1)[1].split("\n## ", 1)[0]
    rows = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("| ") or len(cells) != 4 or cells[0] == "id":
            continue
        for name in re.split(r",\s*", cells[0]):
            rows.append((name, *cells[1:]))
    return rows
