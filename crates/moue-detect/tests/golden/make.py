#!/usr/bin/env python3
"""Makes the files in this folder: random cascades and what OpenCV finds with them in a picture made by formula.

Needs 'opencv-python-headless<5'. tests/opencv.rs checks that moue finds the same.
"""

import json
import random
from pathlib import Path

import cv2
import numpy

HERE = Path(__file__).resolve().parent
WINDOW = 12
PARAMETERS = [(1.1, 0, 0), (1.25, 2, 0), (1.07, 3, 20), (1.6, 1, 31)]


def picture(width=161, height=123):
    y, x = numpy.mgrid[0:height, 0:width]
    return (((x * x * 7 + y * x * 13 + y * y * 3) >> 6) + ((x * 31 + y * 17) ^ (x * y)) % 64).astype(numpy.uint8)


def document(kind, categories, stages, features):
    return f"""<?xml version="1.0"?>
<!-- random numbers, made by make.py -->
<opencv_storage>
<cascade type_id="opencv-cascade-classifier"><stageType>BOOST</stageType>
  <featureType>{kind}</featureType><height>{WINDOW}</height><width>{WINDOW}</width>
  <stageParams></stageParams><featureParams><maxCatCount>{categories}</maxCatCount></featureParams>
  <stageNum>{len(stages)}</stageNum>
  <stages>{"".join(stages)}</stages>
  <features>{"".join(features)}</features></cascade>
</opencv_storage>
"""


def stage(threshold, trees):
    return (f"\n    <_><maxWeakCount>{len(trees)}</maxWeakCount><stageThreshold>{threshold}</stageThreshold>"
            f"<weakClassifiers>{''.join(trees)}</weakClassifiers></_>")


def tree(nodes, leaves):
    return (f"\n      <_><internalNodes>{' '.join(nodes)}</internalNodes>"
            f"<leafValues>{' '.join(f'{leaf:.8e}' for leaf in leaves)}</leafValues></_>")


def haar(rng):
    features, stages = [], []
    for i in range(40):
        tilted = i % 2
        while True:
            x, y, w, h = rng.randrange(12), rng.randrange(12), rng.randrange(1, 9), rng.randrange(1, 9)
            if tilted:
                halves = [(x, y, w, 2 * h), (x, y, w, h)]
                fits = x >= 2 * h and x + w <= WINDOW and y + w + 2 * h <= WINDOW
            else:
                halves = [(x, y, w, 2 * h), (x, y, w, h)]
                fits = x + w <= WINDOW and y + 2 * h <= WINDOW
            if fits:
                break
        weights = [-1.0, 2.0]
        if i % 5 == 0:
            halves.append((x, y, 1, 1))
            weights.append(0.5)
        rects = "".join(f"<_>{' '.join(map(str, r))} {weight}</_>" for r, weight in zip(halves, weights))
        features.append(f"\n    <_><rects>{rects}</rects><tilted>{tilted}</tilted></_>")
    for number in range(4):
        trees = []
        for _ in range(5):
            # A root, one inner node on its left, three leaves; or the other way round.
            children = rng.choice([("1 0", "-1 -2"), ("0 1", "-2 -1")])
            nodes = [f"{c} {rng.randrange(40)} {rng.uniform(-0.02, 0.02):.8e}" for c in children]
            trees.append(tree(nodes, [rng.uniform(-1, 1) for _ in range(3)]))
        stages.append(stage([-0.4, 0.1, 0.2, 0.2][number], trees))
    return document("HAAR", 0, stages, features)


def lbp(rng):
    features, stages = [], []
    for _ in range(30):
        w, h = rng.randrange(1, 5), rng.randrange(1, 5)
        x, y = rng.randrange(WINDOW - 3 * w + 1), rng.randrange(WINDOW - 3 * h + 1)
        features.append(f"\n    <_><rect>{x} {y} {w} {h}</rect></_>")
    for number in range(4):
        trees = []
        for _ in range(5):
            subset = " ".join(str(rng.randrange(-(1 << 31), 1 << 31)) for _ in range(8))
            trees.append(tree([f"0 -1 {rng.randrange(30)} {subset}"], [rng.uniform(-1, 1) for _ in range(2)]))
        stages.append(stage([-0.8, -0.2, 0.1, 0.1][number], trees))
    return document("LBP", 256, stages, features)


def main():
    cv2.setNumThreads(1)
    grey = picture()
    expected = {}
    for name, make in [("haar_tilted.xml", haar), ("lbp.xml", lbp)]:
        path = HERE / name
        path.write_text(make(random.Random(4)))
        classifier = cv2.CascadeClassifier(str(path))
        for factor, neighbours, side in PARAMETERS:
            boxes, counts = classifier.detectMultiScale2(
                grey, scaleFactor=factor, minNeighbors=neighbours, minSize=(side, side)
            )
            found = [[*map(int, box), int(count)] for box, count in zip(boxes, counts)]
            print(name, factor, neighbours, side, len(found))
            expected[f"{name} {factor} {neighbours} {side}"] = found
    lines = [f" {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in expected.items()]
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
