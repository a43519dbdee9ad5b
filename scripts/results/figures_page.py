"""The page docs/results/figures.md: one line for each verdict, from result files only."""

import figures_claims as claims

NOT_YET = "not run yet"
PLANNED = "[its runs](#runs-of-tiers-2-and-3)"
TIER_TWO = ("P2", "P3", "PK", "A.", "S.")
HEAD = """# The paper's claims, decided

Made by `scripts/figures page` from the files in `docs/results/data/`; the rule, the
runs and what the ids mean are in [the protocol](figures-protocol.md). Do not edit it by
hand: a test compares it with what the script writes.

d is the claim's statistic, positive where it speaks for the claim, with its one-sided
95% bounds. A verdict needs all seeds of the plan; with fewer, numbers are shown and the
verdict is `not run yet`. About 50 verdicts at 5% each: two or three are expected by
chance. Tier 1 is ENUM-1, two families of tiny models trained by the real loop and judged
without sampling; its verdicts are about those models and are never pooled with tier 2's.
In tier 1 `clp` is the full set and soups are merges of fully trained experts.
"""


class Line:
    """One verdict: of a claim, for one family, maybe of one label of several."""

    def __init__(self, verdict, family):
        self.verdict, self.family = verdict, family
        self.seeds, self.answer = [], None

    @property
    def key(self):
        return f"{self.verdict.claim}/{self.verdict.label}/{self.family}"

    def requested(self, found):
        """What `moft verdict` is asked, or None where no seed has all units."""
        complete = []
        for number, seed in sorted(found.items()):
            try:
                for part in self.verdict.parts:
                    part.columns(seed)
            except claims.Missing:
                continue
            self.seeds.append(number)
            complete.append(seed)
        if not complete:
            return None
        parts = [part.as_json(complete) for part in self.verdict.parts]
        return {"id": self.key, "parts": parts}

    @property
    def outcome(self):
        if self.answer is None:
            return NOT_YET
        if len(self.seeds) < len(claims.SEEDS):
            return f"{NOT_YET} ({len(self.seeds)} of {len(claims.SEEDS)} seeds)"
        return self.answer["verdict"]


def decide(load_seeds, ask):
    """A Line for each verdict and family. `ask`: requests to answers by id."""
    lines, requests, loaded = [], [], {}
    for verdict in claims.tier_one():
        for family in claims.FAMILIES:
            where = (family, verdict.task)
            if where not in loaded:
                loaded[where] = load_seeds(*where)
            line = Line(verdict, family)
            request = line.requested(loaded[where])
            lines.append(line)
            if request:
                requests.append(request)
    answers = ask(requests)
    for line in lines:
        line.answer = answers.get(line.key)
    return lines


def picture_name(family):
    return f"figures-pair-{family}.svg"


def pictures(load_seeds):
    """Figure 3 in tier 1, where any seed has finished."""
    text = []
    for family in claims.FAMILIES:
        found = load_seeds(family, "pair")
        if found:
            text += [f"![Fronts of the pair, {family}]({picture_name(family)})", ""]
    if not text:
        return []
    return ["Figure 3 in tier 1, the mean over the seeds that have finished, whole "
            "budgets (soups and MOD: T/2 for each expert):", "", *text]


def escaped(text):
    return text.replace("|", "\\|")


def numbers(answer):
    """d with bounds of each part; of many parts how many were won, tied and lost."""
    if answer is None:
        return ""
    parts = answer["parts"]
    if len(parts) > 6:
        won = sum(part["lower"] > 0 for part in parts)
        lost = sum(part["upper"] < 0 for part in parts)
        worst = min(part["lower"] for part in parts)
        return (f"{won} won, {len(parts) - won - lost} tied, {lost} lost; smallest "
                f"lower bound {worst:.4f}")
    return "; ".join(
        f"{part['name']}: {part['d']:.4f} [{part['lower']:.4f}, {part['upper']:.4f}]"
        for part in parts)


def seeds_of(answer):
    if answer is None:
        return ""
    first = answer["parts"][0]
    return " ".join(f"{d:.3f}" for d in first["seeds"])


def summary(rows):
    counts = {}
    for line in rows:
        outcome = line.outcome
        if outcome.startswith(NOT_YET):
            outcome = NOT_YET
        counts[outcome] = counts.get(outcome, 0) + 1
    said = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"Tier 1: {said}."


def tier_one_rows(claim, rows):
    text = []
    for line in rows:
        if line.verdict.claim != claim:
            continue
        label = f", {line.verdict.label}" if line.verdict.label else ""
        text.append(
            f"| {claim}{label} | {line.family} | {escaped(numbers(line.answer))} | "
            f"{seeds_of(line.answer)} | {line.outcome} | "
            f"`scripts/figures run --claim {claim}` |")
    return text


def other_tiers(claim):
    """The verdict where no run of tier 1 has a part."""
    if claim in claims.NOT_HERE:
        return f"not run here: {claims.NOT_HERE[claim]}", "none"
    if claim in claims.FACTS:
        fact = claims.FACTS[claim]
        if "`moft verify`" in fact:
            return fact, "`moft verify`"
        if "tables below" in fact:
            return fact, "`scripts/figures run`"
        return f"{NOT_YET} ({fact})", PLANNED
    return NOT_YET, PLANNED


def spread_text(numbers_of_seeds):
    low, high = min(numbers_of_seeds), max(numbers_of_seeds)
    return f"{claims.mean(numbers_of_seeds):.4f} ({low:.3f} to {high:.3f})"


def fronts_at_end(seed):
    """(label, front, trained parameters) of all methods with their whole budget."""
    for unit, result in sorted(seed.units.items()):
        for front in result["fronts"]:
            method = front["method"]
            rival = method in ("soup", "mod")
            share = result["objectives"] if rival else 1
            if front["step"] not in (0, round(result["steps"] / share)):
                continue
            _, slash, variant = unit.partition("/")
            parameters = result["trained_parameters"]
            if front["step"] == 0:
                parameters = 0
            yield method + slash + variant, claims.Front(front), parameters


def table_of(found):
    """Means over seeds, with the smallest and the largest."""
    methods = {}
    for seed in found.values():
        for label, front, parameters in fronts_at_end(seed):
            entry = methods.setdefault(label, {"front": [], "parameters": parameters})
            entry["front"].append(front)
    text = ["| method | seeds | trained parameters | answers scored | M | MIP | Reach | "
            "share of M* reached |", "|---|---|---|---|---|---|---|---|"]
    for label, entry in sorted(methods.items()):
        fronts = entry["front"]
        text.append(
            f"| {label} | {len(fronts)} | {entry['parameters']:,} | "
            f"{fronts[0].completions:,} | "
            f"{spread_text([front.mean_value() for front in fronts])} | "
            f"{spread_text([front.mean_reward() for front in fronts])} | "
            f"{spread_text([claims.reach(front) for front in fronts])} | "
            f"{spread_text([front.share_of_optimum() for front in fronts])} |")
    return text


def tables(load_seeds):
    text = ["## Numbers", "",
            "Means over seeds with the smallest and the largest. MIP leaves the KL out; "
            "`bank` (three weightings) and best-of-n are references with budgets of their "
            "own. M* is the value of the optimum that enumeration gives.", ""]
    for task in claims.TASKS:
        for family in claims.FAMILIES:
            found = load_seeds(family, task)
            if found:
                text += [f"### {task}, {family}", "", *table_of(found), ""]
    return text if len(text) > 4 else []


def render(protocol, rows, load_seeds=lambda family, task: {}):
    """The whole page. Every id of the protocol has at least one line."""
    text = [HEAD, summary(rows), "", *pictures(load_seeds), "## Verdicts", ""]
    text += ["| claim | task | d [bounds] of each part | d by seed, first part | "
             "verdict | command |", "|---|---|---|---|---|---|"]
    listed = claims.claims_of_protocol(protocol)
    for claim, _, _, runs in listed:
        exact = tier_one_rows(claim, rows)
        text += exact
        verdict, command = other_tiers(claim)
        if not exact or any(run in runs for run in TIER_TWO):
            text.append(f"| {claim} | tiers 2, 3 | | | {verdict} | {command} |")
    text += ["", "## What the ids ask", "", "| id | claim |", "|---|---|"]
    text += [f"| {claim} | {what} |" for claim, what, _, _ in listed]
    text += ["", "## Runs of tiers 2 and 3", "",
             "None has run. Their ranges, lengths and rates are blanks of the protocol; "
             "two cores need about 17 hours for all of them.", "",
             "| run | moft train |", "|---|---|"]
    for run, keys in claims.PLANNED_RUNS.items():
        text.append(f"| {run} | {keys if ' wait' in ' ' + keys else f'`{keys}`'} |")
    text += ["", *tables(load_seeds)]
    return "\n".join(text).rstrip("\n") + "\n"
