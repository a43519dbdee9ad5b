#!/usr/bin/env python3
"""examples/make_faithful.py: what it changes in a text, and what it leaves."""

import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "make_faithful.py"
spec = importlib.util.spec_from_file_location("make_faithful", SCRIPT)
sys.dont_write_bytecode = True
maker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(maker)


def changed(change, text, names=()):
    return change(text, random.Random(1), list(names))


class MakeFaithful(unittest.TestCase):
    def test_other_words_keep_the_meaning(self):
        for text, expected in (
            ("I can't wait; it won't start.", "I cannot wait; it will not start."),
            ("They've sold nine, not thirty-two.", "They have sold 9, not thirty-two."),
            ("An enormous shop.", "An enormous store."),
            ("A whole loaf.", "An entire loaf."),
            ("Bread.", None),
        ):
            self.assertEqual(maker.reworded(text), expected)

    def test_numbers_change_and_parts_of_others_do_not(self):
        self.assertIsNone(changed(maker.change_number, "Give me one at 9:30, ISO 8601-1."))
        other = changed(maker.change_number, "An eight year old bought two.")
        self.assertNotEqual(other, "An eight year old bought two.")
        year = changed(maker.change_number, "It was built in 1931.")
        self.assertTrue(1901 <= int(year[-5:-1]) <= 1961, year)

    def test_articles_follow_the_word(self):
        self.assertEqual(changed(maker.change_word, "It is an old boat."), "It is a new boat.")
        self.assertEqual(changed(maker.change_word, "It is a cheap boat."), "It is an expensive boat.")

    def test_words_without_an_opposite_stay(self):
        for text in ("Up to the leaves.", "It runs after eleven months.", "We met last week."):
            self.assertIsNone(changed(maker.change_word, text), text)

    def test_negations_are_english(self):
        for text, expected in (
            ("The lid can't be opened.", "The lid can be opened."),
            ("It does not open.", "It does open."),
            ("The goose was brought in.", "The goose was not brought in."),
            ("The mill has closed.", "The mill has not closed."),
            ("The office has no shower.", None),
            ("Warm the key, not the lock.", None),
            ("Could you move?", None),
            ("Misery is just furniture.", None),
        ):
            self.assertEqual(changed(maker.change_negation, text), expected)

    def test_names_change_for_those_of_the_same_place(self):
        names = [("in", "Leith"), ("by", "Harold"), ("in", "Tilden")]
        self.assertEqual(
            changed(maker.change_name, "A baker in Leith rests.", names),
            "A baker in Tilden rests.",
        )
        self.assertIsNone(changed(maker.change_name, "Stories by Harold.", names))
        self.assertEqual(maker.names_of("We open on Friday, in May."), [])

    def test_no_sentence_is_copied_as_entailed(self):
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                subprocess.run([sys.executable, SCRIPT, folder], check=True, capture_output=True)
                text = (Path(folder) / "train.jsonl").read_text()
            rows = [json.loads(line) for line in text.splitlines()]
        self.assertGreater(len(rows), 1200)
        true = [row for row in rows if row["label"] == "entailed"]
        self.assertGreater(len(true), len(rows) / 3)
        for row in true:
            self.assertNotIn(row["claim"], row["post"])
        made = {(row["post"], row["claim"]) for row in true}
        for row in rows:
            if row["label"] != "entailed":
                self.assertNotIn((row["post"], row["claim"]), made)


if __name__ == "__main__":
    unittest.main()
