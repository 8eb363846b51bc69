"""The judge of face detectors and the tables of docs/detectors.md; nothing is run here.

    python3 -m unittest discover --start-directory bench
"""

import io
import re
import tarfile
import tempfile
import unittest
from pathlib import Path

import detector_tables
import faces
import judge
import tables
from detector_works import CONTENDERS
from detectors import DOCUMENT
from works import HERE


class JudgeTest(unittest.TestCase):
    def test_boxes_are_judged_as_moue_judges_them(self):
        # The same case as in crates/moue-detect/src/evaluate.rs.
        label = lambda x, side, ignore: (x, 0, side, side, ignore)
        labels = [label(0, 40, False), label(100, 50, True), label(200, 10, False), label(300, 90, False)]
        box = lambda x, side, score: (x, 0, side, side, score)
        judged = judge.Judged()
        judged.add([box(2, 40, 0.7), box(0, 40, 0.9), box(101, 50, 0.8), box(200, 10, 0.6), box(500, 40, 0.5)], labels)
        self.assertEqual(judged.boxes, [(0.9, True), (0.7, False), (0.5, False)])
        self.assertEqual(judged.faces, 2)
        self.assertEqual(judged.at(0.6), (0.5, 0.5, 1))
        self.assertEqual(judged.average_precision(), 0.5)
        self.assertEqual(judged.most_at(0.93), 0.5)
        self.assertIsNone(judge.Judged().most_at(0.0))

    def test_a_move_is_found_from_pairs(self):
        # Boxes that are twice as large as faces, and half a face too far left and up; one false one.
        photos = []
        for x in (50, 120, 300):
            labels = [(x, 2 * x, 40, 60, False)]
            photos.append(([(x - 20, 2 * x - 30, 80, 120, 1.0), (700, 700, 50, 50, 2.0)], labels))
        move = judge.fit(photos)
        self.assertEqual(move, judge.Move(0.25, 0.25, 0.5, 0.5))
        self.assertEqual(move.of((30, 70, 80, 120, 1.0)), (50, 100, 40, 60, 1.0))
        self.assertEqual(judge.fit([]), judge.Move())


class FacesTest(unittest.TestCase):
    def test_parts_are_those_of_the_hash(self):
        def fnv(data):
            value = 0xCBF29CE484222325
            for byte in data:
                value = (value ^ byte) * 0x100000001B3 % 2**64
            return value % 8

        names = {0: "held-out", 1: "calibration"}
        for number in range(200):
            data = str(number).encode() * 3
            self.assertEqual(faces.part(data), names.get(fnv(data)), data)

    def test_photos_are_unpacked_by_part_with_their_labels(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in", Path(folder) / "out"
            source.mkdir()
            held_out = next(data for data in (bytes([i]) for i in range(256)) if faces.part(data) == "held-out")
            learnt = next(data for data in (bytes([i]) for i in range(256)) if faces.part(data) is None)
            for archive in faces.SETS.values():
                with tarfile.open(source / f"{archive}.tar", "w") as members:
                    for name, data in (("a/b.jpg", held_out), ("a/c.jpg", learnt)):
                        member = tarfile.TarInfo(name)
                        member.size = len(data)
                        members.addfile(member, io.BytesIO(data))
            (source / "lfw-train.csv").write_text("file,x,y,w,h,ignore\nb.jpg,1,2,3.5,4,1\nc.jpg,1,2,3,4,0\n")
            found = faces.unpack(source, target)
            path = target / "held-out" / "portraits" / "b.jpg"
            self.assertEqual(found["held-out"]["portraits"], [(path, [(1.0, 2.0, 3.5, 4.0, True)])])
            self.assertEqual(path.read_bytes(), held_out)
            self.assertEqual(found["held-out"]["empty"], [(target / "held-out" / "empty" / "b.jpg", [])])
            self.assertEqual(found["calibration"], {})


def summary(recall, precision, average, wrong):
    return {"photos": 4, "faces": 10, "recall": recall, "precision": precision, "average_precision": average,
            "best": recall, "false_faces": wrong}


def found(recall):
    sets = {name: summary(recall, 0.9, 0.8, 3) for name in ("portraits", "streets", "empty", "both")}
    return {"move": [0.1, -0.02, 0.8, 1.07], **sets}


def run(contender, round, median, threads=2, work="640x480"):
    return {"work": work, "threads": threads, "contender": contender, "round": round, "median_ms": median,
            "min_ms": median, "date": "2026-01-02", "version": ""}


class TablesTest(unittest.TestCase):
    RECORD = {
        "machine": {"processor": "P", "cores": 2, "instructions": ["avx2"], "system": "S", "moue": "moue 1"},
        "date": "2026-01-02",
        "quality": {"moue-cnn": found(0.875), "yunet-640": found(0.5)},
        # The second round is slow for both, so that only ratios within a round tell the truth.
        "runs": [run("moue-haar", 0, 1.0), run("opencv-haar", 0, 4.0), run("moue-haar", 1, 3.0), run("opencv-haar", 1, 12.0),
                 run("moue-lbp", 0, 2.0), run("opencv-own", 0, 4.0), run("moue-cnn", 0, 7.5, threads=1)],
        "absent": {"rustface": "its crate could not be built"},
    }

    def test_quality_has_a_row_for_each_that_was_measured(self):
        rows = detector_tables.quality(self.RECORD).splitlines()
        self.assertEqual(rows[2], "| moue cnn | 87.5 % | 87.5 % | 87.5 % | 90.0 % | 0.800 | 87.5 % | 3 | 0.750 |")
        self.assertTrue(rows[3].startswith("| YuNet (yuface), at most 640 | 50.0 % |"), rows[3])
        self.assertEqual(len(rows), 4)

    def test_cascades_are_held_to_opencv_round_by_round(self):
        text = detector_tables.cascades(self.RECORD)
        self.assertIn("| moue haar, frontalface_alt2 | 640x480 | 2.00 | 8.00 | 0.25 (0.25 to 0.25) | 0.35 | yes |", text)
        self.assertIn("| moue lbp, its own cascade | 640x480 | 2.00 | 4.00 | 0.50 (0.50 to 0.50) | 0.35 | no |", text)
        self.assertIn("| moue haar, frontalface_alt2 | 1280x720 |  |  | not measured | 0.35 |  |", text)

    def test_times_and_reasons(self):
        self.assertIn("| moue cnn | 7.50 |  |  |  |", detector_tables.times(self.RECORD))
        self.assertIn("| rustface | its crate could not be built |", detector_tables.absent(self.RECORD))
        self.assertIn("| none |", detector_tables.absent({**self.RECORD, "absent": {}}))
        # moue's boxes are as they should be already.
        self.assertEqual(len(detector_tables.moves(self.RECORD).splitlines()), 3)

    def test_the_document_takes_all_tables(self):
        text = DOCUMENT.read_text()
        made = detector_tables.all_tables(self.RECORD)
        filled = tables.insert(text, made)
        for made_table in made.values():
            self.assertIn(made_table, filled)
        bare = lambda text: re.sub(r"(<!-- table:\S+ -->\n).*?(<!-- end -->)", r"\1\2", text, flags=re.DOTALL)
        self.assertEqual(bare(filled), bare(text))

    def test_contenders_have_what_they_need(self):
        names = [contender.name for contender in CONTENDERS]
        self.assertEqual(len(names), len(set(names)))
        for contender in CONTENDERS:
            self.assertTrue(not contender.script or (HERE / "peers" / contender.script).exists(), contender)
            self.assertTrue(not contender.works_on or contender.works_on in names, contender)


if __name__ == "__main__":
    unittest.main()
