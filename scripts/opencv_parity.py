#!/usr/bin/env python3
"""Compares moue's cascade detector with OpenCV's on real photos, box by box.

Needs opencv-python-headless below 5 (from 5.0 on, CascadeClassifier lives in the contrib package) and OpenCV's
cascade files (Debian: opencv-data). Photos come from the data folder; each is decoded to grey by OpenCV and
handed to both sides as a lossless PNG. Prints one line per cascade and parameter set and exits with 1 if, for
any of them, fewer than 99 % of the boxes agree within a pixel.

    python3 scripts/opencv_parity.py [--data ../shared/data] [--cascades /usr/share/opencv4] [--only NAME]
    python3 scripts/opencv_parity.py --time PHOTO    # both detectors by turns, two threads each
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import cv2
import numpy

ROOT = Path(__file__).resolve().parent.parent
CASCADE_FOLDERS = ["/usr/share/opencv4", "/usr/share/opencv", "/usr/local/share/opencv4", "/opt/homebrew/share/opencv4"]
OUR_CASCADE = ROOT / "crates" / "moue-detect" / "models" / "lbp_face.xml"
# scale factor, neighbours, smallest side: OpenCV's defaults, those people use for faces in video, and every single
# hit before grouping
PARAMETERS = [(1.1, 3, 0), (1.2, 2, 30), (1.3, 0, 0)]
# every how many photos of each set, so that about a dozen and a half of each are used
SETS = {"faces/facemask-train.tar": 36, "faces/lfw-train.tar": 100, "faces/negatives-train.tar": 60}
WANTED = 0.99


def photos(data):
    """Yields (name, grey picture)."""
    for path in sorted((data / "photos").iterdir()):
        yield path.name, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    for name, every in SETS.items():
        with tarfile.open(data / name) as archive:
            members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
            for member in members[::every]:
                encoded = numpy.frombuffer(archive.extractfile(member).read(), numpy.uint8)
                yield member.name, cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)


def opencv_boxes(classifier, picture, factor, neighbours, side):
    arguments = {"scaleFactor": factor, "minNeighbors": neighbours, "minSize": (side, side)}
    boxes, counts = classifier.detectMultiScale2(picture, **arguments)
    return [[*map(int, box), int(count)] for box, count in zip(boxes, counts)]


def example():
    """Builds the example program and returns its path."""
    command = ["cargo", "build", "--quiet", "--package", "moue-detect", "--example", "detect_multi_scale"]
    messages = subprocess.run(
        [*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    for line in messages.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "detect_multi_scale":
            return message["executable"]
    sys.exit("cargo built no example detect_multi_scale")


def our_boxes(program, cascade, paths, factor, neighbours, side):
    arguments = [program, str(cascade), str(factor), str(neighbours), str(side), "0", *map(str, paths)]
    output = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in output.stdout.splitlines()]


def take(boxes, wanted, distance):
    """Removes and returns whether `boxes` has one whose four numbers are all within `distance` of `wanted`."""
    for i, box in enumerate(boxes):
        if all(abs(a - b) <= distance for a, b in zip(box[:4], wanted[:4])):
            del boxes[i]
            return True
    return False


def compare(theirs, ours):
    """Counts over all pictures: OpenCV's boxes, equal ones, near ones, missing and extra."""
    total = {"boxes": 0, "equal": 0, "near": 0, "missing": 0, "extra": 0, "neighbours": 0, "in order": 0}
    for expected, got in zip(theirs, ours, strict=True):
        total["boxes"] += len(expected)
        if expected == got:
            for key in ("equal", "neighbours"):
                total[key] += len(expected)
            total["in order"] += 1
            continue
        total["neighbours"] += sum(box in got for box in expected)
        rest = list(got)
        unequal = [box for box in expected if not take(rest, box, 0)]
        far = [box for box in unequal if not take(rest, box, 1)]
        total["equal"] += len(expected) - len(unequal)
        total["near"] += len(unequal) - len(far)
        total["missing"] += len(far)
        total["extra"] += len(rest)
    return total


def cascade_files(folder, only):
    candidates = [folder] if folder else [os.environ.get("MOUE_CASCADES"), *CASCADE_FOLDERS]
    for candidate in filter(None, candidates):
        files = sorted(Path(candidate).glob("**/*cascade*.xml"), key=lambda p: (p.name[:3] != "lbp", p.name))
        if files:
            return [path for path in [OUR_CASCADE, *files] if only in path.name]
    sys.exit("no cascade files found; install opencv-data or give --cascades FOLDER")


def compare_all(options, program):
    with tempfile.TemporaryDirectory() as folder:
        pictures, paths = [], []
        for i, (name, picture) in enumerate(photos(options.data)):
            paths.append(Path(folder) / f"{i:03}-{Path(name).stem}.png")
            cv2.imwrite(str(paths[-1]), picture)
            pictures.append(picture)
        print(f"OpenCV {cv2.__version__}, {len(pictures)} photos")
        columns = ["boxes", "equal", "near", "missing", "extra", "neighbours", "in order"]
        print(f"{'cascade':44} {'parameters':>14} " + " ".join(f"{c:>10}" for c in columns) + "   agree")
        worst = 1.0
        for cascade in cascade_files(options.cascades, options.only):
            classifier = cv2.CascadeClassifier(str(cascade))
            for parameters in PARAMETERS:
                theirs = [opencv_boxes(classifier, picture, *parameters) for picture in pictures]
                ours = our_boxes(program, cascade, paths, *parameters)
                total = compare(theirs, ours)
                agree = (total["equal"] + total["near"]) / max(total["boxes"] + total["extra"], 1)
                agree = 1.0 if total["boxes"] + total["extra"] == 0 else agree
                worst = min(worst, agree)
                text = "/".join(map(str, parameters))
                print(f"{cascade.name:44} {text:>14} " + " ".join(f"{total[c]:>10}" for c in columns)
                      + f"  {agree:.4%}", flush=True)
        print(f"worst agreement within a pixel: {worst:.4%}; wanted: {WANTED:.0%}")
        return worst >= WANTED


def time_both(options, program):
    """Milliseconds of both for 640x480, scale factor 1.2, 3 neighbours, smallest side 48; by turns."""
    cv2.setNumThreads(2)
    picture = cv2.resize(cv2.imread(str(options.time), cv2.IMREAD_GRAYSCALE), (640, 480), interpolation=cv2.INTER_AREA)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        cv2.imwrite(str(path), picture)
        for cascade in cascade_files(options.cascades, options.only):
            classifier = cv2.CascadeClassifier(str(cascade))
            theirs, ours = [], []
            for _ in range(8):
                arguments = [program, "--time", "12", str(cascade), "1.2", "3", "48", "0", str(path)]
                environment = {**os.environ, "RAYON_NUM_THREADS": "2"}
                output = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True, env=environment)
                ours += json.loads(output.stdout)[2:]
                for _ in range(10):
                    start = time.perf_counter()
                    opencv_boxes(classifier, picture, 1.2, 3, 48)
                    theirs.append((time.perf_counter() - start) * 1e3)
            a, b = statistics.median(ours), statistics.median(theirs)
            print(f"{cascade.name:44} moue {a:7.2f} ms  OpenCV {b:7.2f} ms  ratio {a / b:.2f} "
                  f"(fastest {min(ours):.2f} and {min(theirs):.2f})", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder with faces/ and photos/")
    parser.add_argument("--cascades", type=Path, help="folder with OpenCV's cascade files")
    parser.add_argument("--only", default="", help="only cascades whose name has this in it")
    parser.add_argument("--time", type=Path, metavar="PHOTO", help="measure the time instead of comparing boxes")
    options = parser.parse_args()
    if not hasattr(cv2, "CascadeClassifier"):
        sys.exit(f"OpenCV {cv2.__version__} has no CascadeClassifier; install 'opencv-python-headless<5'")
    # One thread, because the order of OpenCV's boxes depends on which thread is done first.
    cv2.setNumThreads(1)
    program = example()
    sys.exit(0 if (time_both if options.time else compare_all)(options, program) else 1)


if __name__ == "__main__":
    main()
