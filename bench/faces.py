"""The shared photos by part, as `moue detector train` and `eval` divide them: by the bytes of their files."""

import csv
import tarfile

PARTS = {0: "held-out", 1: "calibration"}
SETS = {"portraits": "lfw-train", "streets": "facemask-train", "empty": "negatives-train"}


def part(data):
    """`held-out`, `calibration` or None for what was learnt from: the FNV-1a hash modulo eight.

    The lowest three bits of a product and of a sum depend on the lowest three alone, so that no more are kept.
    """
    low = 0x25 & 7
    for byte in data:
        low = ((low ^ byte) * 0x1B3) & 7
    return PARTS.get(low)


def labels(path):
    """Boxes (x, y, width, height, ignore) by file name."""
    boxes = {}
    if path.is_file():
        with path.open(newline="") as rows:
            for row in csv.DictReader(rows):
                box = (*(float(row[key]) for key in "xywh"), row["ignore"] == "1")
                boxes.setdefault(row["file"], []).append(box)
    return boxes


def unpack(source, target):
    """Writes the two parts to `target`/PART/SET and returns {part: {set: [(path, labels)]}}."""
    found = {name: {} for name in PARTS.values()}
    for title, archive in SETS.items():
        boxes = labels(source / f"{archive}.csv")
        with tarfile.open(source / f"{archive}.tar") as members:
            for member in sorted((m for m in members if m.isfile()), key=lambda m: m.name):
                data = members.extractfile(member).read()
                which = part(data)
                if which is None:
                    continue
                name = member.name.rsplit("/", 1)[-1]
                path = target / which / title / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                found[which].setdefault(title, []).append((path, boxes.get(name, [])))
    return found
