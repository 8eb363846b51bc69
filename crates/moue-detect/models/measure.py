#!/usr/bin/env python3
"""Measures face cascades for lbp_face.md: recall and false faces on photos, by OpenCV (whose boxes are moue's).

Needs 'opencv-python-headless<5'.

    python3 measure.py ../../../../shared/data/faces lbp_face.xml /usr/share/opencv4/lbpcascades/lbpcascade_frontalface.xml
"""

import collections
import csv
import sys
import tarfile
from pathlib import Path

import cv2
import numpy

SMALLEST = 30
PARAMETERS = [(1.1, 5), (1.1, 3), (1.2, 3)]
# every how many photos are used: of lfw-train those that training held out
SETS = {"lfw-train": 5, "facemask-train": 1, "negatives-train": 3}


def photos(folder, name, every):
    boxes = collections.defaultdict(list)
    table = folder / f"{name}.csv"
    if table.exists():
        with open(table) as file:
            for row in csv.DictReader(file):
                box = tuple(float(row[key]) for key in "xywh")
                boxes[row["file"]].append((box, row["ignore"] == "1", row.get("label", "face")))
    with tarfile.open(folder / f"{name}.tar") as archive:
        members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
        for member in members[::every]:
            encoded = numpy.frombuffer(archive.extractfile(member).read(), numpy.uint8)
            yield cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), boxes[member.name]


def matches(found, face):
    """The centre lies within 0.3 of the face's size and the box is half to twice as large."""
    size = (face[2] + face[3]) / 2
    across = found[0] + found[2] / 2 - face[0] - face[2] / 2
    down = found[1] + found[3] / 2 - face[1] - face[3] / 2
    return abs(across) < 0.3 * size and abs(down) < 0.3 * size and 0.5 < found[2] / size < 2


def measure(classifier, pictures, factor, neighbours):
    hits, faces, false = collections.Counter(), collections.Counter(), 0
    for picture, boxes in pictures:
        found = classifier.detectMultiScale(picture, factor, neighbours, minSize=(SMALLEST, SMALLEST))
        unexplained = set(range(len(found)))
        for box, ignored, label in boxes:
            hit = [i for i in range(len(found)) if matches(found[i], box)]
            unexplained.difference_update(hit)
            if not ignored and min(box[2:]) >= SMALLEST:
                faces[label] += 1
                hits[label] += bool(hit)
        false += len(unexplained)
    return [f"{label} {hits[label]}/{faces[label]}" for label in sorted(faces)] + [f"false {false}"]


def main():
    folder, *cascades = map(Path, sys.argv[1:])
    cv2.setNumThreads(1)
    sets = {name: list(photos(folder, name, every)) for name, every in SETS.items()}
    for cascade in cascades:
        for factor, neighbours in PARAMETERS:
            classifier = cv2.CascadeClassifier(str(cascade))
            print(f"{cascade.name}, {factor}/{neighbours}")
            for name, pictures in sets.items():
                print(f"  {name} ({len(pictures)}): {', '.join(measure(classifier, pictures, factor, neighbours))}", flush=True)


if __name__ == "__main__":
    main()
