#!/usr/bin/env python3
"""examples/import_debian.py on package lists written for this test.

debian/train.jsonl and validation.jsonl are what `moft import debian` (0.1) made
of debian/lantern_Translation-en with --validation 0.3 --seed 5.
"""

import importlib.util
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parents[1] / "examples" / "import_debian.py"
spec = importlib.util.spec_from_file_location("import_debian", SCRIPT)
sys.dont_write_bytecode = True
importer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(importer)


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True
    )


class ImportDebian(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def test_makes_the_known_files(self):
        out = self.folder / "out"
        done = run(
            out, "--lists", HERE / "debian", "--validation", "0.3", "--seed", "5"
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("18 descriptions, 6 of them repeats", done.stderr)
        for name in ("train.jsonl", "validation.jsonl"):
            known = (HERE / "debian" / name).read_bytes()
            self.assertEqual((out / name).read_bytes(), known)

    def test_reads_a_list(self):
        counts = Counter()
        content = (HERE / "debian" / "lantern_Translation-en").read_bytes()
        found = importer.parse_list(content.replace(b"\n", b"\r\n"), counts)
        self.assertEqual(
            found[:2],
            [
                (
                    "lantern",
                    "draws lanterns on a terminal",
                    "Lantern draws paper lanterns in sixteen colours.\nIt can:\n"
                    '* sway them in the wind\n* put them "out"\n'
                    "and it never sleeps.",
                ),
                (
                    "lantern-doc",
                    "what there is to know about lantern",
                    "Lantern draws paper lanterns in sixteen colours.\n"
                    "These are its pages.",
                ),
            ],
        )
        self.assertEqual(found[2], ("twin", "the first counts", "First."))
        self.assertEqual(counts, {"bare": 1, "refused": 1})

    def test_refuses_hostile_entries_one_by_one(self):
        good = b"\n\nPackage: good\nDescription: short\n long\n\n"
        bad = [
            b"Package: x\nDescription: \xff\xfe\n text\n",
            b"Package: x\nDescription: s\n \xc0\x80\n",
            b"Package: \nDescription: s\n text\n",
            b"Package: x\nDescription:\n text\n",
            b"Package: x\nDescription: s\n %b\n b\n" % (b"a" * 70000),
            b"Package: %b\nDescription: s\n text\n" % (b"x" * 5000),
        ]
        for entry in bad:
            counts = Counter()
            found = importer.parse_list(entry + good, counts)
            self.assertEqual(counts["refused"], 1, entry[:40])
            self.assertEqual([each[0] for each in found], ["good"])
        for empty in (b"", b"\0" * 1000, b"Description: x\n", b" a\n b\n: \n"):
            self.assertEqual(importer.parse_list(empty, Counter()), [])

    def test_keeps_the_first_of_repeats(self):
        kept = importer.without_repeats(
            [("a", "one", "same"), ("b", "two", "same"), ("c", "three", "other")]
        )
        self.assertEqual([entry[0] for entry in kept], ["a", "c"])

    def test_split_keeps_relatives_together_and_ignores_order(self):
        many = [
            (f"p{i}", "s", f"About {i // 2}.\nPart {i}") for i in range(200)
        ]
        train, validation = importer.split(many, 0.1, 3)
        self.assertEqual((len(train), len(validation)), (180, 20))
        for one, other in zip(validation[::2], validation[1::2]):
            self.assertEqual(
                importer.first_paragraph(one), importer.first_paragraph(other)
            )
        backwards = importer.split(many[::-1], 0.1, 3)[1]
        self.assertEqual(sorted(backwards), sorted(validation))
        self.assertNotEqual(importer.split(many, 0.1, 4)[1], validation)
        self.assertEqual(importer.split(many, 0, 3)[1], [])

    def test_leaves_existing_files(self):
        theirs = self.folder / "train.jsonl"
        theirs.write_text("mine")
        done = run(self.folder, "--lists", HERE / "debian")
        self.assertEqual(done.returncode, 2)
        self.assertIn("train.jsonl: exists already", done.stderr)
        self.assertEqual(theirs.read_text(), "mine")
        done = run(self.folder, "--lists", HERE / "debian", "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_names_the_cure_for_compressed_lists_and_none(self):
        lists = self.folder / "lists"
        lists.mkdir()
        (lists / "archive_Release").write_text("not a list")
        none = run(self.folder / "out", "--lists", lists)
        self.assertIn("no package lists", none.stderr)
        (lists / "archive_Translation-en.lz4").write_bytes(b"")
        packed = run(self.folder / "out", "--lists", lists)
        self.assertEqual(packed.returncode, 2)
        self.assertIn("apt-helper cat-file", packed.stderr)


if __name__ == "__main__":
    unittest.main()
