#!/usr/bin/env python3
"""scripts/figures: the statistics of fronts with known answers, and the page."""

import importlib.machinery
import importlib.util
import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts" / "results"))
sys.dont_write_bytecode = True
import figures_claims as claims  # noqa: E402
import figures_page as page  # noqa: E402
import figures_picture  # noqa: E402


def load_script():
    loader = importlib.machinery.SourceFileLoader("figures", str(ROOT / "scripts/figures"))
    spec = importlib.util.spec_from_loader("figures", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


figures = load_script()
PAIR = [[k / 10, 1 - k / 10] for k in range(11)]


def front(method, slope, offset=0.0, step=18, weightings=PAIR, completions=1152):
    """E[R_i] = offset + slope * w_i, KL 0, alpha 0."""
    rewards = [[offset + slope * x for x in w] for w in weightings]
    values = [sum(x * r for x, r in zip(w, rs)) for w, rs in zip(weightings, rewards)]
    return {"method": method, "step": step, "weightings": weightings,
            "alphas": [0.0] * len(weightings), "rewards": rewards,
            "kl": [0.0] * len(weightings), "value": values,
            "optimum": [1.0] * len(weightings), "completions": completions}


def unit(method, fronts):
    return {"unit": method, "steps": 18, "objectives": 2, "trained_parameters": 7,
            "fronts": fronts}


def seed(full=0.4, words=0.1, soup=0.4, shift=0.1):
    """`full` lies `shift` above the soup; the words' front is flatter."""
    checkpoints = (2, 6, 12, 18)
    return claims.Seed({
        "full": unit("full", [front("full", full, shift, t) for t in checkpoints]),
        "words": unit("words", [front("words", words, 0.0, t) for t in checkpoints]),
        "experts": unit("experts", [front("soup", soup, 0.0, t) for t in (6, 9, 18)]),
    })


class Statistics(unittest.TestCase):
    def setUp(self):
        self.seed = seed()
        self.full = self.seed.front("full")

    def test_reach_is_the_slope(self):
        self.assertAlmostEqual(claims.reach(self.full), 0.4)
        self.assertAlmostEqual(claims.reach_of_pairs(self.full), 0.4)
        self.assertAlmostEqual(claims.reach(claims.Front(front("a", -0.2))), -0.2)

    def test_differences_inside_and_at_the_vertices(self):
        soup = self.seed.soup()
        self.assertEqual(len(claims.interior(soup)), 9)
        self.assertAlmostEqual(claims.d_int(self.full, soup), 0.1)
        self.assertAlmostEqual(claims.d_ver(soup, self.full), -0.1)

    def test_asked_for(self):
        # (w_k - w_k') . w_k * .4 over the ordered pairs of .8, .5, .2: each pair
        # of orders sums to |w_k - w_k'|^2 * .4 = 2 x^2 * .4, x = .3, .3, .6.
        wanted = 0.4 * 2 * (0.09 + 0.09 + 0.36) / 6
        self.assertAlmostEqual(claims.asked_for(self.full), wanted)

    def test_columns_of_the_path_rise_with_the_weight(self):
        columns, order = claims.by_objective(self.full)
        self.assertEqual(order[:11], sorted(order[:11]))
        self.assertEqual(columns[:11], sorted(columns[:11]))
        self.assertEqual(len(columns), 22)

    def test_a_share_has_the_banks_reach_below(self):
        self.assertAlmostEqual(self.seed.share("words")[0], 0.1)
        self.assertAlmostEqual(self.seed.share("words")[1], 0.4)

    def test_movement_between_checkpoints(self):
        steps = [claims.Front(front("a", 0.0, x)) for x in (0.0, 0.3, 0.4)]
        self.assertAlmostEqual(claims.movement(steps), 2**0.5 * 0.2)

    def test_a_missing_unit_is_named(self):
        with self.assertRaises(claims.Missing):
            self.seed.front("attention")


class Ledger(unittest.TestCase):
    def test_finished_runs_of_one_verdict_scored_as_many_answers(self):
        """Soups and mixtures beside one policy, in the committed results."""
        for file in sorted(figures.DATA.glob("exact-*.json.gz")):
            scored = set()
            for name, result in figures.read_units(file).items():
                if name.partition("/")[0] in ("bank", "reference"):
                    continue
                whole = claims.Seed({name: result})
                if result["unit"] == "experts":
                    scored.add(whole.soup(name).completions)
                    scored.add(claims.pick(
                        claims.Seed({"experts": result}), "mod").completions)
                else:
                    scored.add(whole.front(name).completions)
            self.assertLessEqual(max(scored), 1.02 * min(scored), file.name)


def fake_answers(requests):
    answers = {}
    for request in requests:
        parts = []
        for part in request["parts"]:
            seeds = [rows[0][0] for rows in part["seeds"]]
            parts.append({"name": part["name"], "d": claims.mean(seeds),
                          "lower": min(seeds), "upper": max(seeds), "seeds": seeds})
        answers[request["id"]] = {"verdict": "reproduced", "parts": parts}
    return answers


class Page(unittest.TestCase):
    def setUp(self):
        self.protocol = figures.PROTOCOL.read_text()

    def load(self, count):
        def found(family, task):
            if (family, task) != ("llama", "pair"):
                return {}
            return {number: seed() for number in range(1, count + 1)}

        return found

    def lines(self, count):
        rows = page.decide(self.load(count), fake_answers)
        return page.render(self.protocol, rows, self.load(count))

    def test_every_id_of_the_protocol_has_a_line(self):
        text = self.lines(0)
        ids = [claim for claim, *_ in claims.claims_of_protocol(self.protocol)]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreater(len(ids), 60)
        for claim in ids:
            self.assertRegex(text, rf"(?m)^\| {claim}(, [^|]*)? \| (llama|tiers)")

    def test_every_verdict_belongs_to_an_id(self):
        ids = {claim for claim, *_ in claims.claims_of_protocol(self.protocol)}
        used = {verdict.claim for verdict in claims.tier_one()}
        used |= set(claims.NOT_HERE) | set(claims.FACTS)
        self.assertEqual(used - ids, set())

    def test_a_verdict_waits_for_all_seeds(self):
        some, all_of_them = self.lines(3), self.lines(len(claims.SEEDS))
        row = "| 3.1 | llama | D_int(full, soup): 0.1000 [0.1000, 0.1000] | "
        self.assertIn(row + "0.100 0.100 0.100 | not run yet (3 of 10 seeds) |", some)
        self.assertIn(row + " ".join(["0.100"] * 10) + " | reproduced |", all_of_them)
        self.assertIn("| 3.1 | t5 |  |  | not run yet |", all_of_them)

    def test_what_cannot_run_says_why(self):
        self.assertIn("not run here: no judge of quality", self.lines(0))

    def test_numbers_are_listed(self):
        self.assertIn("| full | 2 | 7 | 1,152 |", self.lines(2))

    def test_the_committed_page_is_what_the_script_writes(self):
        text = figures.PAGE.read_text()
        rows = page.decide(figures.load_seeds, lambda requests: {})
        bare = page.render(self.protocol, rows, figures.load_seeds)
        self.assertEqual(text.splitlines()[0], bare.splitlines()[0])
        # Everything but the verdicts, which the program computes.
        begin = "\n## What the ids ask\n"
        self.assertEqual(text.partition(begin)[2], bare.partition(begin)[2])


class Picture(unittest.TestCase):
    def test_fronts_are_means_over_seeds_of_v(self):
        found = {1: seed(full=0.4, shift=0.1), 2: seed(full=0.2, shift=0.3)}
        points = figures_picture.mean_front(found, "full")
        # (.1 + .4 w + .3 + .2 w) / 2
        for point, w in zip(points, PAIR):
            for value, weight in zip(point, w):
                self.assertAlmostEqual(value, 0.2 + 0.3 * weight)
        self.assertIsNone(figures_picture.mean_front(found, "logits"))

    def test_v_takes_the_kl_off(self):
        one = front("full", 0.4)
        one["kl"], one["alphas"] = [2.0] * 11, [0.1] * 11
        points = figures_picture.values(claims.Front(one))
        self.assertAlmostEqual(points[10][0], 0.9 * 0.4 - 0.1 * 2.0)

    def test_ends_of_the_scale_are_the_ends_of_the_axis(self):
        scale = figures_picture.Scale([0.12, 0.31], 50, 250)
        self.assertAlmostEqual(scale.at(0.10), 50)
        self.assertAlmostEqual(scale.at(0.35), 250)

    def test_each_method_is_one_line(self):
        svg = figures_picture.picture({1: seed()}, "title")
        self.assertEqual(svg.count("<polyline"), 3)
        self.assertEqual(svg.count("<circle"), 33)
        self.assertIsNone(figures_picture.picture({}, "title"))


class Plan(unittest.TestCase):
    def test_first_seed_of_everything_comes_first(self):
        seeds = [number for _, number, _, _ in figures.plan()]
        self.assertEqual(seeds, sorted(seeds))
        self.assertEqual({number for number in seeds}, set(range(1, 11)))

    def test_one_claim_needs_only_its_units(self):
        units = {unit for _, _, unit, _ in figures.plan(["3.1"])}
        self.assertEqual(units, {"full", "experts"})

    def test_names_say_what_is_trained(self):
        self.assertEqual(figures.settings_of("full/width-8"),
                         {"unit": "full", "width": 8})
        self.assertEqual(figures.settings_of("words/dir03"),
                         {"unit": "words", "concentration": 0.3})
        with self.assertRaises(figures.Failure):
            figures.settings_of("full/wide")

    def test_results_survive_a_round_trip(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "a.json.gz"
            figures.add_unit(file, "full", {"kl": [1 / 3], "steps": 18})
            figures.add_unit(file, "words", {"kl": [2.0], "steps": 18})
            first = file.read_bytes()
            self.assertEqual(figures.read_units(file)["full"]["kl"], [0.3333333])
            figures.add_unit(file, "words", {"kl": [2.0], "steps": 18})
            self.assertEqual(file.read_bytes(), first)


class Data(unittest.TestCase):
    def test_splits_follow_the_protocol(self):
        rows = [{"id": f"t{n}", "split": "train"} for n in range(5)]
        rows += [{"id": f"v{n}", "split": "validation"} for n in range(842)]
        text = "\n".join(json.dumps(row) for row in rows).encode()
        splits = figures.split_posts(text)
        sizes = {name: len(found) for name, found in splits.items()}
        self.assertEqual(sizes, {"train": 5, "choosing": 342, "final": 500})
        self.assertEqual(splits["choosing"][0]["id"], "v0")
        both = {row["id"] for row in splits["choosing"] + splits["final"]}
        self.assertEqual(len(both), 842)

    def test_the_protocol_names_three_hashes(self):
        self.assertEqual(set(figures.hashes_of_protocol()),
                         {"the file", "final", "choosing"})

    def test_another_file_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "posts.jsonl"
            file.write_text("".join(
                json.dumps({"id": str(n), "split": "validation"}) + "\n"
                for n in range(842)))
            with self.assertRaisesRegex(figures.Failure, "not the protocol's"):
                figures.make_data(str(file), pathlib.Path(folder) / "out")


if __name__ == "__main__":
    unittest.main()
