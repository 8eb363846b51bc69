"""Tables from recorded rounds; nothing is timed here.

    python3 -m unittest discover --start-directory bench
"""

import json
import re
import unittest

import tables
from compare import DOCUMENT
from works import CONTENDERS, GOALS, HERE, WORKS


def run(contender, round, median, work="infer-f32-96-1", **more):
    return {"work": work, "threads": 2, "contender": contender, "round": round, "median_ms": median,
            "min_ms": median / 2, "cpu_ms": 2 * median, "date": "2026-01-02", **more}


class RatiosTest(unittest.TestCase):
    # The second round is slow for both, so that only ratios within a round tell the truth.
    RECORD = {"runs": [
        run("moue", 0, 1.0, floor_ms=0.5), run("onnxruntime", 0, 2.0),
        run("moue", 1, 8.0, floor_ms=0.5), run("onnxruntime", 1, 10.0),
        run("moue", 2, 2.0, floor_ms=0.5), run("onnxruntime", 2, 3.0),
        run("openvino", 0, 4.0),
        run("moue", 0, 5.0, work="infer-f32-224-1"),
        {**run("onnxruntime", 0, 1.0), "threads": 1},
    ]}

    def test_ratios_are_taken_within_rounds(self):
        rounds = tables.Rounds(self.RECORD, "infer-f32-96-1", 2)
        self.assertEqual(rounds.ratios("moue", "onnxruntime"), [0.5, 0.8, 2 / 3])
        self.assertEqual(tables.spread(rounds.ratios("moue", "onnxruntime")), "0.67 (0.50 to 0.80)")
        # Rounds that only one of them did give no ratio.
        self.assertEqual(rounds.ratios("moue", "openvino"), [0.25])
        self.assertEqual(rounds.ratios("moue", "pytorch"), [])
        self.assertEqual(rounds.median("moue", "median_ms"), 2.0)
        self.assertEqual(rounds.fastest(("openvino", "onnxruntime", "pytorch")), "onnxruntime")
        self.assertIsNone(rounds.fastest(("pytorch",)))

    def test_goals_are_judged_by_the_median_ratio(self):
        rows = tables.goals(self.RECORD).splitlines()
        self.assertEqual(rows[2], "| inference, f32, 1 of 96x96 | ONNX Runtime | 0.90 | 0.75 | 0.67 (0.50 to 0.80) | aim |")
        self.assertEqual(rows[3], "| inference, f32, 1 of 224x224 | ONNX Runtime | 0.90 | 0.75 | not measured |  |")

    def test_the_floor_is_moues_and_peers_are_held_to_it(self):
        rows = tables.speed(self.RECORD, 2).splitlines()
        self.assertEqual(rows[2], "| inference, f32, 1 of 96x96 | moue | 2.00 | 0.50 | 4.00 | 4.0 |  |  |")
        self.assertTrue(rows[3].startswith("|  | ONNX Runtime | 3.00 | 1.00 | 6.00 | 6.0 | 0.67 (0.50 to 0.80) |"), rows[3])


class RecordedTest(unittest.TestCase):
    """A record as compare.py wrote it, cut to a few works of two rounds."""

    RECORD = json.loads((HERE / "testdata" / "rounds.json").read_text())

    def test_every_table_has_its_rows(self):
        made = tables.all_tables(self.RECORD)
        for name, text in made.items():
            self.assertNotIn("None", text, name)
            if name != "machine":
                lines = text.splitlines()
                self.assertGreater(len(lines), 2, name)
                self.assertEqual({line.count("|") for line in lines}, {lines[0].count("|")}, name)
        for peer in ("ONNX Runtime", "OpenVINO", "PyTorch", "TensorFlow", "moue, AVX2"):
            self.assertIn(f"| {peer} |", made["two-threads"])
        self.assertIn("52 of 52 convolutions in int8", made["precisions"])

    def test_the_document_takes_all_tables(self):
        text = DOCUMENT.read_text()
        made = tables.all_tables(self.RECORD)
        filled = tables.insert(text, made)
        for made_table in made.values():
            self.assertIn(made_table, filled)
        # What is written by people stays, and a second time changes nothing.
        self.assertEqual(tables.insert(filled, made), filled)
        bare = lambda text: re.sub(r"(<!-- table:\S+ -->\n).*?(<!-- end -->)", r"\1\2", text, flags=re.DOTALL)
        self.assertEqual(bare(filled), bare(text))


class InsertTest(unittest.TestCase):
    def test_marks_that_do_not_fit_are_named(self):
        with self.assertRaisesRegex(ValueError, r"\['b'\] have no table, \['a'\] no mark"):
            tables.insert("<!-- table:b -->\n<!-- end -->", {"a": ""})
        with self.assertRaisesRegex(ValueError, "not closed"):
            tables.insert("<!-- table:a -->\n<!-- table:b -->\n<!-- end -->", {"a": "", "b": ""})
        with self.assertRaises(ValueError):
            tables.insert("<!-- table:a -->\n<!-- end --><!-- table:a -->\n<!-- end -->", {"a": ""})


class WorksTest(unittest.TestCase):
    def test_goals_name_works_and_contenders_that_exist(self):
        works = {work.name: work for work in WORKS}
        by_name = {contender.name: contender for contender in CONTENDERS}
        self.assertEqual(len(by_name), len(CONTENDERS))
        for goal in GOALS:
            for peer in goal.peers:
                self.assertTrue(by_name[peer].takes(works[goal.work]), goal)
        for contender in CONTENDERS:
            self.assertTrue(not contender.script or (HERE / "peers" / contender.script).exists(), contender)


if __name__ == "__main__":
    unittest.main()
