"""Runs one face detector of another house in its own process: the arguments that all of them take.

    detect_X.py find LIST [--longest PX]                a JSON line for each picture named in the list: [[x, y, w, h, score], ...]
    detect_X.py time PICTURE --threads N --seconds S    the line of bench/peers/clock.py

Times are from pixels in memory to boxes in memory; reducing to `--longest` is part of them.
"""

import argparse
import json
import os
import sys

import clock


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=["find", "time"])
    parser.add_argument("path")
    parser.add_argument("--longest", type=int, help="larger pictures are reduced to this side")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--model", help="file or kind of the detector, for those that have several")
    chosen = parser.parse_args()
    # Read when libraries are imported, so that detectors import theirs later.
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return chosen


def run(chosen, read, reduce, find, version):
    """`read` gives a picture of a path, `reduce` one with this longest side and the factor by which it became smaller,
    `find` boxes (x, y, width, height, score)."""

    def boxes(picture):
        factor = 1.0
        if chosen.longest:
            picture, factor = reduce(picture, chosen.longest)
        found = find(picture)
        return [[float(side) / factor for side in box[:4]] + [float(box[4])] for box in found]

    if chosen.work == "time":
        picture = read(chosen.path)
        clock.measure(lambda: boxes(picture), chosen.seconds, version)
        return
    with open(chosen.path) as paths:
        for path in paths.read().splitlines():
            print(json.dumps(boxes(read(path))))
    sys.stdout.flush()


def reduce_array(picture, longest):
    """For pictures that are arrays of rows of pixels."""
    import numpy
    from PIL import Image

    height, width = picture.shape[:2]
    factor = min(1.0, longest / max(width, height))
    if factor == 1.0:
        return picture, factor
    size = (round(width * factor), round(height * factor))
    return numpy.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)), factor
