"""The shared photos by part, as `moue detector train` and `eval` divide them: by the bytes of their files, everyday photos by
name."""

import csv
import struct
import tarfile
from dataclasses import dataclass
from pathlib import Path

PARTS = {0: "held-out", 1: "calibration"}
SETS = {
    "portraits": "lfw-train",
    "streets": "facemask-train",
    "everyday": "everyday-train",
    "negatives": "negatives-train",
    "everyday-negatives": "everyday-negatives",
}
WITH_FACES = ["portraits", "streets", "everyday"]
WITHOUT_FACES = ["negatives", "everyday-negatives"]
BY_NAME = "everyday"
CLOSE = 2.5  # heights of the face from which a picture is no close-up


@dataclass(frozen=True)
class Photo:
    """A photo with its boxes (x, y, width, height, ignore)."""

    path: Path
    labels: tuple
    size: tuple  # width and height

    def only_face(self):
        """The one face; None where there are several or doubtful ones. `wid-` photos have faces without a box."""
        if len(self.labels) == 1 and not self.labels[0][4] and not self.path.name.startswith("wid-"):
            return self.labels[0]
        return None

    def is_close_up(self):
        face = self.only_face()
        return face is not None and self.size[1] < CLOSE * face[3]


# What two bytes make of the lowest three bits of the hash, by those bits and those of each byte. They depend on the lowest three
# bits alone, in a product as in a sum, so that no more are kept.
def _step(low, byte):
    return ((low ^ byte) * 0x1B3) & 7


_STEPS = [bytes(_step(_step(low, pair & 7), pair >> 8 & 7) for pair in range(0x800)) for low in range(8)]
_LOWEST = bytes(byte & 7 for byte in range(256))


def part(data):
    """`held-out`, `calibration` or None for what was learnt from: the FNV-1a hash modulo eight."""
    low = 0x25 & 7
    bits = data.translate(_LOWEST)
    for pair in struct.unpack(f"<{len(bits) // 2}H", bits[: len(bits) & ~1]):
        low = _STEPS[low][pair]
    for byte in bits[len(bits) & ~1 :]:
        low = _step(low, byte)
    return PARTS.get(low)


def name_part(name):
    """The part of an everyday photo. A close-up `egc-NAME` was cut from `eg-NAME`, so that both are in the same."""
    whole = f"eg-{name.removeprefix('egc-')}" if name.startswith("egc-") else name
    return part(whole.encode())


def labels(path):
    """Boxes (x, y, width, height, ignore) by file name."""
    boxes = {}
    if path.is_file():
        with path.open(newline="") as rows:
            for row in csv.DictReader(rows):
                box = (*(float(row[key]) for key in "xywh"), row["ignore"] == "1")
                boxes.setdefault(row["file"], []).append(box)
    return boxes


def jpeg_size(data):
    """Width and height of a JPEG file, from the first segment that tells them."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + length
    raise ValueError("no JPEG file, or one without a size")


def unpack(source, target):
    """Writes the two parts to `target`/PART/SET and returns {part: {set: [Photo]}}."""
    found = {name: {} for name in PARTS.values()}
    for title, archive in SETS.items():
        boxes = labels(source / f"{archive}.csv")
        with tarfile.open(source / f"{archive}.tar") as members:
            for member in sorted((m for m in members if m.isfile()), key=lambda m: m.name):
                name = member.name.rsplit("/", 1)[-1]
                if title == BY_NAME and name_part(name) is None:
                    continue
                data = members.extractfile(member).read()
                which = name_part(name) if title == BY_NAME else part(data)
                if which is None:
                    continue
                path = target / which / title / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.is_file() or path.stat().st_size != len(data):
                    path.write_bytes(data)
                photo = Photo(path, tuple(boxes.get(name, [])), jpeg_size(data))
                found[which].setdefault(title, []).append(photo)
    return found
