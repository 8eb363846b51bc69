"""Photos of one face turned about their middle, and the overlap of turned boxes, as crates/moue-detect/src/evaluate/single.rs
has them.

A turned box is (x, y, width, height, roll): upright sides around the same centre, turned clockwise by `roll` degrees.
"""

import math

STEP = 30  # degrees
MOST = 60  # photos
ANGLES = range(0, 360, STEP)


def choose(photos, wanted):
    """Evenly from all photos of one face for whose label `wanted` holds."""
    fit = [photo for photo in photos if photo.only_face() and wanted(photo.only_face())]
    count = min(MOST, len(fit))
    return [fit[i * len(fit) // count] for i in range(count)]


def size(photo_size, degrees):
    """Width and height of the picture that holds all of the turned photo."""
    sin, cos = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    width, height = photo_size
    return max(1, round(width * cos + height * sin)), max(1, round(width * sin + height * cos))


def place(label, photo_size, degrees):
    """The labelled box in the turned photo."""
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x, y, width, height = label[:4]
    across, down = x + width / 2 - photo_size[0] / 2, y + height / 2 - photo_size[1] / 2
    wide, high = size(photo_size, degrees)
    centre = wide / 2 + across * cos - down * sin, high / 2 + across * sin + down * cos
    return centre[0] - width / 2, centre[1] - height / 2, width, height, float(degrees)


def corners(box):
    x, y, width, height, roll = box
    sin, cos = math.sin(math.radians(roll)), math.cos(math.radians(roll))
    points = []
    for across, down in ((-width, -height), (width, -height), (width, height), (-width, height)):
        across, down = across / 2, down / 2
        points.append((x + width / 2 + across * cos - down * sin, y + height / 2 + across * sin + down * cos))
    return points


def around(box):
    """The upright box around a turned one."""
    across, down = zip(*corners(box))
    return min(across), min(down), max(across) - min(across), max(down) - min(down), 0.0


def area(points):
    pairs = zip(points, [*points[1:], *points[:1]])
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def overlap(a, b):
    """Intersection over union of two turned boxes: one is cut along each side of the other."""
    points, sides = corners(a), corners(b)
    for i in range(4):
        start, end = sides[i], sides[(i + 1) % 4]
        inside = lambda p: (end[0] - start[0]) * (p[1] - start[1]) - (end[1] - start[1]) * (p[0] - start[0])
        kept = []
        for p, q in zip(points, [*points[1:], *points[:1]]):
            here, there = inside(p), inside(q)
            if here >= 0:
                kept.append(p)
            if here * there < 0:
                share = here / (here - there)
                kept.append((p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])))
        points = kept
    shared = area(points) if len(points) > 2 else 0.0
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
